"""Exploding gradients, and what clipping does to them."""

from elman.demo.lesson import Code, Lesson, Text

LESSON = Lesson(
    name="clipping",
    title="Exploding gradients and clipping",
    words="an RNN whose gradients explode, trained with and without clipping",
    least={"steps": 6, "T": 15},
    parts=(
        Text("""
Where the Jacobians of the steps **stretch** what they multiply, the gradient grows exponentially on
its way back. The loss then has cliffs: places where a tiny change of U changes everything. One step
of gradient descent from the edge of a cliff throws the weights far away.

**Clipping** shortens a gradient that is longer than a bound, and keeps its direction.
"""),
        Code("""
steps = 300   # of training
T = 40        # length of a sequence
hidden = 32
lr = 0.07     # plain gradient descent
bound = 1.0   # of the gradient's length, where it is clipped
"""),
        Text("""
## A recurrence that stretches

The network reads noise, and has to say at the end what the first number was. U is orthogonal, times
a factor: at 1.0 it keeps lengths, at 1.6 each step stretches by more than half, as long as tanh is
not saturated.
"""),
        Code("""
import torch

import elman
from elman.doctor import picture
from elman.nn import Recurrent
from elman.report import plots
from elman.report.shown import Shown


class Model(torch.nn.Module):
    def __init__(self, factor):
        super().__init__()
        torch.manual_seed(0)
        self.recurrent = Recurrent("RNN", 1, hidden)
        self.head = torch.nn.Linear(hidden, 1)
        with torch.no_grad():
            self.recurrent.weight_hh_l0.mul_(factor)

    def forward(self, x):
        return self.head(self.recurrent(0.1 * x)[0][:, -1])


def batch(seed, rows=32):
    x = torch.randn(rows, T, 1, generator=torch.Generator().manual_seed(seed))
    return x, x[:, 0]


x, y = batch(0)
curves = {
    f"U x {factor}": elman.inspect(
        Model(factor), x, loss=lambda output: (output - y).square().mean()
    )
    for factor in (0.6, 1.0, 1.6)
}
drawn, (ax,) = plots.figure(height=3.0)
picture.gradient_norm(ax, curves)
ax.set_title("length of dL/dh, for a question at the last step", fontsize=9, loc="left")
Shown(drawn)
"""),
        Text("""
The straight lines are exponential: below one factor gradients vanish, above it they explode.

## The cliff

Along the direction of the gradient, from the weights as they are: how the loss changes. Where the
gradient is long, a step of gradient descent lands beyond the cliff.
"""),
        Code("""
def loss_along(factor, distances):
    model = Model(factor)
    value = (model(x) - y).square().mean()
    gradients = torch.autograd.grad(value, list(model.parameters()))
    length = torch.stack([g.square().sum() for g in gradients]).sum().sqrt()
    losses = []
    with torch.no_grad():
        start = [p.clone() for p in model.parameters()]
        for distance in distances:
            for p, p0, g in zip(model.parameters(), start, gradients):
                p.copy_(p0 - distance * g / length)
            losses.append((model(x) - y).square().mean().item())
    return losses, length.item()


distances = torch.linspace(-0.5, 1.5, 161).tolist()
drawn, (ax,) = plots.figure(height=3.0)
for colour, factor in zip(picture.COLOURS, (1.0, 1.6)):
    losses, length = loss_along(factor, distances)
    ax.plot(distances, losses, color=colour, linewidth=1.3, label=f"U x {factor}")
    print(f"U x {factor}: the gradient is {length:.3g} long")
ax.set_xlabel("distance down the gradient", fontsize=8)
ax.set_title("loss", fontsize=9, loc="left")
ax.legend(fontsize=8, frameon=False)
Shown(drawn)
"""),
        Text("""
## Training, with and without

The same start, the same batches, plain gradient descent.
"""),
        Code("""
def train(bound):
    model, losses, norms = Model(1.6), [], []
    for step in range(steps):
        x, y = batch(1 + step)
        value = (model(x) - y).square().mean()
        if not value.isfinite():
            print(f"step {step}: the loss is no longer a number")
            break
        model.zero_grad()
        value.backward()
        # None measures the length and changes nothing.
        most = float("inf") if bound is None else bound
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), most).item())
        losses.append(value.item())
        with torch.no_grad():
            for p in model.parameters():
                p -= lr * p.grad
    return model, losses, norms


runs = {"not clipped": train(None), "clipped": train(bound)}
drawn, (left, right) = plots.figure(1, 2, height=3.2)
colours = (picture.COLOURS[1], picture.COLOURS[0])
for colour, (name, (_, losses, norms)) in zip(colours, runs.items()):
    left.plot(losses, color=colour, linewidth=1.3, label=name)
    right.plot(norms, color=colour, linewidth=1.0, label=name)
    print(f"{name:12} last loss {losses[-1]:.3g}, longest gradient {max(norms):.3g}")
left.set_title("training loss", fontsize=9, loc="left")
right.set_title("length of the gradient, before clipping", fontsize=9, loc="left")
right.axhline(bound, color=plots.QUIET, linewidth=1.0, linestyle="--")
for ax, ends in ((left, (0.03, 1e4)), (right, (0.1, 1e6))):
    ax.set_yscale("log")
    ax.set_ylim(*ends)
    ax.set_xlabel("step of training", fontsize=8)
    ax.legend(fontsize=8, frameon=False)
Shown(drawn)
"""),
        Text("""
## What the doctor says

It is told nothing but the model and a batch, before any training.
"""),
        Code("""
print(elman.doctor.examine(Model(1.6), x).text())
"""),
        Text("""
## What to take home

- Exploding gradients show as spikes in the gradient's length, and as jumps of the loss.
- Clipping by the norm bounds the step, not the direction: `FitSettings(clip_norm=1.0)` is the
  default of `elman.train.fit`.
- It mends the symptom. A recurrence that stretches is mended at its start, by
  `elman.init.orthogonal_`.
"""),
    ),
)
