"""Vanishing gradients, over distance, for four recurrent networks."""

from elman.demo.lesson import Code, Lesson, Text

LESSON = Lesson(
    name="vanishing",
    title="Vanishing gradients",
    words="how far back a gradient reaches, for RNN, LSTM, GRU and an orthogonal RNN",
    least={"steps": 4, "T": 20},
    parts=(
        Text("""
A network reads a sequence and is asked about its **beginning**: the first input carries a sign, all
that follows is noise, and only after the last step the network says which sign it was. To learn
that, the gradient of the loss has to travel back over every step to the first one.

On its way it is multiplied by the Jacobian of each step, dh_t / dh_{t-1}. If these shrink it, it
**vanishes**: the loss hardly changes with what happened long ago, and nothing is learnt of it.
"""),
        Code("""
steps = 300   # of training
T = 60        # length of a sequence
hidden = 32
"""),
        Text("""
## Five networks

`torch.nn.RNN` as PyTorch initialises it; the same recurrence with an orthogonal U, which neither
shrinks nor stretches; an LSTM and a GRU as PyTorch initialises them; and an LSTM whose forget gate
begins open. All end in the same linear readout.
"""),
        Code("""
import torch

import elman
from elman.doctor import picture
from elman.nn import Recurrent
from elman.report import plots
from elman.report.shown import Shown


class Reader(torch.nn.Module):
    def __init__(self, recurrent):
        super().__init__()
        self.recurrent = recurrent
        self.head = torch.nn.Linear(hidden, 1)

    def forward(self, x):
        y, _ = self.recurrent(x)
        return self.head(y[:, -1])[:, 0]


def networks():
    torch.manual_seed(0)
    open_gate = Reader(torch.nn.LSTM(2, hidden, batch_first=True))
    elman.init.forget_bias_(open_gate, 4.0)
    return {
        "RNN": Reader(torch.nn.RNN(2, hidden, batch_first=True)),
        "LSTM": Reader(torch.nn.LSTM(2, hidden, batch_first=True)),
        "GRU": Reader(torch.nn.GRU(2, hidden, batch_first=True)),
        "orthogonal RNN": Reader(Recurrent("RNN", 2, hidden)),
        "LSTM, gate open": open_gate,
    }


def batch(rows, seed):
    generator = torch.Generator().manual_seed(seed)
    sign = torch.randint(0, 2, (rows,), generator=generator).float()
    x = torch.zeros(rows, T, 2)
    x[:, :, 1] = 0.3 * torch.randn(rows, T, generator=generator)
    x[:, 0, 0] = 2 * sign - 1
    return x, sign


def loss(output, sign):
    return torch.nn.functional.binary_cross_entropy_with_logits(output, sign)
"""),
        Text("""
## The gradient on its way back, before training

`elman.inspect` runs a model once and keeps dL/dh_t at every step. The loss is read at the right
end; the further left, the longer ago. The axis is logarithmic: a straight line is exponential
decay.
"""),
        Code("""
models = networks()
x, sign = batch(64, seed=1)


def gradients(models):
    return {
        name: elman.inspect(model, x, loss=lambda output: loss(output, sign))
        for name, model in models.items()
    }


before = gradients(models)
for name, seen in before.items():
    norm = seen.gradient_norm()
    print(f"{name:16} at the first step {norm[0]:.1e}, at the last {norm[-1]:.1e}")

drawn, (ax,) = plots.figure(height=3.2)
picture.gradient_norm(ax, before)
Shown(drawn)
"""),
        Text("""
## Does it learn?

Each network is trained for as many steps, by Adam. Chance is 0.69, the logarithm of 2.
"""),
        Code("""
def train(model):
    optimizer, losses = torch.optim.Adam(model.parameters(), lr=3e-3), []
    for step in range(steps):
        x, sign = batch(32, seed=100 + step)
        value = loss(model(x), sign)
        optimizer.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(value.item())
    return losses


curves = {name: train(model) for name, model in models.items()}
test_x, test_sign = batch(500, seed=2)
for name, model in models.items():
    with torch.no_grad():
        right = ((model(test_x) > 0) == test_sign.bool()).float().mean()
    print(f"{name:16} {right:.0%} of 500 new sequences are right")

drawn, (left, right) = plots.figure(1, 2, height=3.0)
for colour, (name, losses) in zip(picture.COLOURS, curves.items()):
    left.plot(losses, color=colour, linewidth=1.4, label=name)
left.set_title("training loss", fontsize=9, loc="left")
left.set_xlabel("step of training", fontsize=8)
left.legend(fontsize=8, frameon=False)
after = gradients(models)
picture.gradient_norm(right, after)
right.set_title("length of dL/dh, after training", fontsize=9, loc="left")
Shown(drawn)
"""),
        Text("""
On the right the curves of those that have learnt lie low as a whole, for their loss is next to
nothing; but they are level: what is left of it reaches the first step. Those that have not learnt
still slope.

## Why: the eigenvalues of U

What an RNN does to its state in a step is, near zero, to multiply it by U. Inside the circle
states fade, and so do gradients; outside of it they grow. PyTorch draws U uniformly between
-1/sqrt(H) and 1/sqrt(H), which gives a radius near 0.58; an orthogonal U lies **on** the circle.
"""),
        Code("""
fresh = networks()
drawn, (left, right) = plots.figure(1, 2, height=3.2)
for ax, name in ((left, "RNN"), (right, "orthogonal RNN")):
    layer = elman.doctor.examine(fresh[name], x).layers["recurrent.l0"]
    picture.spectrum(ax, layer.spectra)
    ax.set_title(f"{name}: eigenvalues of U", fontsize=9, loc="left")
Shown(drawn)
"""),
        Text("""
## What to take home

- A plain RNN loses the gradient exponentially: not a matter of patience, but of the product of its
  Jacobians.
- Gates help only where they are open: an LSTM's c_t = f c_{t-1} + i g has a Jacobian of f. At
  PyTorch's initialisation f is near one half, which over 60 steps leaves nothing.
- What helps is a good start: an orthogonal U, or a forget gate that begins open
  (`elman.init.forget_bias_`, `elman.init.chrono_`).

Ask the doctor about a network of your own: `elman.doctor.examine(model, batch)`.
"""),
    ),
)
