"""A cell of one's own: five lines, checked, taped, timed and trained."""

from elman.demo.lesson import Code, Lesson, Text

LESSON = Lesson(
    name="your-cell",
    title="A recurrence of your own",
    words="a cell in a few lines: checked, compiled to a tape, timed, trained, looked into",
    least={"steps": 3, "T": 10, "rounds": 1},
    parts=(
        Text("""
In `elman` a cell **is** its equations. Everything else is derived from them: training on any
engine, steps of a stream, what `inspect` shows, the file that is stored.
"""),
        Code("""
steps = 200    # of training
T = 60         # length of a sequence
hidden = 32
rounds = 5     # of timing
"""),
        Text("""
## The equations

A leaky unit with a rate that it chooses itself: `x.rate` and `u.rate` are what the input and the
state say about it.
"""),
        Code("""
import time

import torch

import elman
from elman import Cell
from elman.doctor import picture
from elman.nn import Recurrent
from elman.ops import sigmoid, tanh
from elman.report import plots
from elman.report.shown import Shown


class Leaky(Cell):
    gates = ("rate", "n")

    def update(x, u, s, p):
        rate = sigmoid(x.rate + u.rate)
        return s.h + rate * (tanh(x.n + u.n) - s.h)


layer = Recurrent(Leaky, 3, hidden)
y, state = layer(torch.randn(2, 7, 3))
print("output", tuple(y.shape))
for name, p in layer.named_parameters():
    print(name, tuple(p.shape))
"""),
        Text("""
## Is it sound?

`check_cell` holds it to the contract of the built-in cells: gradients against finite differences,
step by step against whole sequences, padding, resets, both directions, double precision.
"""),
        Code("""
print(elman.testing.check_cell(Leaky))
"""),
        Text("""
## Its tape

The equations are traced once. What comes out is a straight list of instructions, which the native
engine runs for every step, and its derivative, which runs backwards. Both can be read.
"""),
        Code("""
print(elman.describe(Leaky))
"""),
        Text("""
## How fast

The loop in Python, and the native engine where this machine has it: forward and backward over a
batch.
"""),
        Code("""
def seconds(engine):
    layer = Recurrent(Leaky, 16, 64, engine=engine)
    x = torch.randn(16, T, 16)
    times = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        layer(x)[0].sum().backward()
        times.append(time.perf_counter() - start)
    return min(times[1:])


for engine in ("reference", "native"):
    try:
        print(f"{engine:10} {1e3 * seconds(engine):7.2f} ms")
    except (ValueError, RuntimeError) as error:
        print(f"{engine:10} {error}")
"""),
        Text("""
## Does it learn?

A moving average whose pace changes: a second input says how fast the target follows the first. A
GRU of as many units stands beside it.
"""),
        Code("""
def batch(rows, seed):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(rows, T, generator=generator)
    slow = torch.rand(rows, T, generator=generator) < 0.7
    pace = torch.where(slow, 0.05, 0.6)
    target, y = torch.zeros(rows), []
    for t in range(T):
        target = target + pace[:, t] * (values[:, t] - target)
        y.append(target)
    return torch.stack([values, slow.float()], -1), torch.stack(y, 1)


class Follower(torch.nn.Module):
    def __init__(self, cell):
        super().__init__()
        self.recurrent = Recurrent(cell, 2, hidden)
        self.head = torch.nn.Linear(hidden, 1)

    def forward(self, x):
        return self.head(self.recurrent(x)[0])[..., 0]


def train(cell):
    torch.manual_seed(0)
    model = Follower(cell)
    optimizer, losses = torch.optim.Adam(model.parameters(), lr=1e-2), []
    for step in range(steps):
        x, y = batch(32, seed=step)
        loss = (model(x) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    count = sum(p.numel() for p in model.parameters())
    print(f"{model.recurrent.cell.__name__:6} {count:6,} parameters, error {losses[-1]:.4f}")
    return model, losses


runs = {"Leaky": train(Leaky), "GRU": train("GRU")}
"""),
        Text("""
## Looking inside

`rate` has the name that the equations gave it. Where the second input says "slow", it should close.
"""),
        Code("""
x, y = batch(1, seed=1000)
model = runs["Leaky"][0]
trace = elman.inspect(model, x)["recurrent.l0"]
drawn, (top, bottom) = plots.figure(2, 1, height=2.6)
for colour, (name, (_, losses)) in zip(picture.COLOURS, runs.items()):
    top.plot(losses, color=colour, linewidth=1.4, label=name)
top.set_yscale("log")
top.set_xlabel("step of training", fontsize=8)
top.set_title("training error", fontsize=9, loc="left")
top.legend(fontsize=8, frameon=False)
picture.gates(bottom, trace)
for t in range(T):
    if x[0, t, 1]:
        bottom.axvspan(t - 0.5, t + 0.5, color=plots.QUIET, alpha=0.15, linewidth=0)
bottom.set_title("rate, over the steps; grey: told to be slow", fontsize=9, loc="left")
Shown(drawn)
"""),
        Text("""
## What to take home

- A recurrence of your own is a class with a few lines, not a loop to be made fast.
- `elman.testing.check_cell` says whether it keeps what the others keep.
- On the command line it is `--cell my.py:Leaky`: `elman compare forecast FILE --cell my.py:Leaky`
  sets it beside the others.
"""),
    ),
)
