"""How far recurrent networks remember: the adding problem and the doctor's memory curve."""

from elman.demo.lesson import Code, Lesson, Text

LESSON = Lesson(
    name="memory",
    title="How far does it remember?",
    words="the adding problem, and the memory curve of cells before and after training",
    least={"steps": 3, "T": 12, "hidden": 8},
    parts=(
        Text("""
In the **adding problem** (Hochreiter and Schmidhuber, 1997) a network reads random numbers, two of
which are marked, one in either half; at the end it says their sum. Saying 1 always has a mean
squared error of 0.167. To do better, two numbers have to be kept while all others are let go.
"""),
        Code("""
steps = 600   # of training
T = 50        # length of a sequence
hidden = 32
"""),
        Text("""
## The problem
"""),
        Code("""
import torch

import elman
from elman.doctor import picture
from elman.nn import Recurrent
from elman.report import plots
from elman.report.shown import Shown


def batch(rows, seed):
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.rand(rows, T, generator=generator)
    marks = torch.zeros(rows, T)
    for half in range(2):
        at = torch.randint(half * T // 2, (half + 1) * T // 2, (rows,), generator=generator)
        marks[torch.arange(rows), at] = 1.0
    return torch.stack([numbers, marks], -1), (numbers * marks).sum(1)


x, y = batch(2, seed=0)
first = y[0].item()
print("numbers", [f"{v:.2f}" for v in x[0, :8, 0]], "...")
print("the sum of the two that are marked:", f"{first:.2f}")
"""),
        Text("""
## Four cells

An RNN whose U is small, as many libraries draw it; one with an orthogonal U; a GRU; and an LSTM
whose gates begin with time scales up to T (`elman.init.chrono_`).
"""),
        Code("""
class Adder(torch.nn.Module):
    def __init__(self, cell, change=None):
        super().__init__()
        self.recurrent = Recurrent(cell, 2, hidden)
        self.head = torch.nn.Linear(hidden, 1)
        if change is not None:
            with torch.no_grad():
                change(self.recurrent)

    def forward(self, x):
        return self.head(self.recurrent(x)[0][:, -1])[:, 0]


torch.manual_seed(0)
models = {
    "RNN, small U": Adder("RNN", lambda layer: layer.weight_hh_l0.mul_(0.6)),
    "RNN, orthogonal U": Adder("RNN"),
    "GRU": Adder("GRU"),
    "LSTM, chrono": Adder("LSTM", lambda layer: elman.init.chrono_(layer, T)),
}


def memories():
    examined, _ = batch(16, seed=1)
    found = {name: elman.doctor.examine(model, examined) for name, model in models.items()}
    return {name: one.layers["recurrent.l0"].memory for name, one in found.items()}


before = memories()
"""),
        Text("""
## Training

As many steps for each, by Adam, gradients clipped to a length of 1.
"""),
        Code("""
def train(model):
    optimizer, losses = torch.optim.Adam(model.parameters(), lr=3e-3), []
    for step in range(steps):
        x, y = batch(32, seed=100 + step)
        loss = (model(x) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


curves = {name: train(model) for name, model in models.items()}
after = memories()
test_x, test_y = batch(500, seed=2)
print(f"{'':18} {'error':>7} {'reach before':>13} {'reach after':>12}")
for name, model in models.items():
    with torch.no_grad():
        error = (model(test_x) - test_y).square().mean().item()
    print(f"{name:18} {error:7.4f} {before[name].reach:13} {after[name].reach:12}")
"""),
        Text("""
`reach` is the number of steps after which an input still has 1 % of its largest effect on the last
output: the doctor's measure of memory.
"""),
        Code("""
drawn, (left, middle, right) = plots.figure(1, 3, height=3.2, width=12)
for colour, (name, losses) in zip(picture.COLOURS, curves.items()):
    width = max(1, steps // 20)
    smooth = [sum(losses[k : k + width]) / width for k in range(0, steps - width + 1, width)]
    left.plot(range(0, steps - width + 1, width), smooth, color=colour, linewidth=1.5, label=name)
left.axhline(1 / 6, color=plots.QUIET, linewidth=1.0, linestyle="--")
left.set_yscale("log")
left.tick_params(which="both", labelsize=8)
left.set_title("training error; dashed: always saying 1", fontsize=9, loc="left")
left.set_xlabel("step of training", fontsize=8)
left.legend(fontsize=8, frameon=False)
picture.memory(middle, before)
middle.set_title("effect of an input, before training", fontsize=9, loc="left")
picture.memory(right, after)
right.set_title("effect of an input, after training", fontsize=9, loc="left")
Shown(drawn)
"""),
        Text("""
## What the doctor advises

Told that the task needs a memory of nearly T steps, it names the networks that lack it.
"""),
        Code("""
examined, _ = batch(16, seed=1)
torch.manual_seed(0)
sick = Adder("RNN", lambda layer: layer.weight_hh_l0.mul_(0.6))
found = elman.doctor.examine(sick, examined, memory=T - 5)
for verdict in found.verdicts:
    print(verdict.text())
"""),
        Text("""
## What to take home

- What a network cannot remember at its start it hardly learns to: a curve that falls below 1e-6
  within the sequence gives no gradient to learn from.
- A long memory at the start is no merit by itself: what counts is that training can put it to use.
- Ask before training: `elman doctor TASK DATA --memory 45`.
"""),
    ),
)
