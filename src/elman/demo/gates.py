"""The gates of an LSTM and a GRU over the characters of a text."""

from elman.demo.lesson import Code, Lesson, Text

LESSON = Lesson(
    name="gates",
    title="What gates do, letter by letter",
    words="the gates of an LSTM and a GRU while they read a text",
    least={"steps": 3, "hidden": 8},
    parts=(
        Text("""
A gate is a number between 0 and 1 for every unit and every step. An LSTM's forget gate says how
much of a cell is kept, its input gate how much is written, its output gate how much is shown. This
page trains two small networks to guess the next letter, and looks at their gates while they read.
"""),
        Code("""
steps = 250   # of training
hidden = 48
"""),
        Text("""
## The text

Abraham Lincoln's address at Gettysburg, 1863, in small letters.
"""),
        Code('''
text = """four score and seven years ago our fathers brought forth on this continent, a new
nation, conceived in liberty, and dedicated to the proposition that all men are created equal.
now we are engaged in a great civil war, testing whether that nation, or any nation so conceived
and so dedicated, can long endure. we are met on a great battle-field of that war. we have come to
dedicate a portion of that field, as a final resting place for those who here gave their lives that
that nation might live. it is altogether fitting and proper that we should do this. but, in a larger
sense, we can not dedicate, we can not consecrate, we can not hallow this ground. the brave men,
living and dead, who struggled here, have consecrated it, far above our poor power to add or
detract. the world will little note, nor long remember what we say here, but it can never forget
what they did here. it is for us the living, rather, to be dedicated here to the unfinished work
which they who fought here have thus far so nobly advanced. it is rather for us to be here dedicated
to the great task remaining before us, that from these honored dead we take increased devotion to
that cause for which they gave the last full measure of devotion, that we here highly resolve that
these dead shall not have died in vain, that this nation, under god, shall have a new birth of
freedom, and that government of the people, by the people, for the people, shall not perish from the
earth.""".replace("\\n", " ")
letters = sorted(set(text))
print(len(text), "characters,", len(letters), "different ones")
'''),
        Text("""
## Two networks that guess the next letter
"""),
        Code("""
import numpy as np
import torch

import elman
from elman.doctor import picture
from elman.nn import Recurrent
from elman.report import plots
from elman.report.shown import Shown

tokens = torch.tensor([letters.index(c) for c in text])


class Guesser(torch.nn.Module):
    def __init__(self, cell):
        super().__init__()
        self.embed = torch.nn.Embedding(len(letters), 16)
        self.recurrent = Recurrent(cell, 16, hidden)
        self.head = torch.nn.Linear(hidden, len(letters))

    def forward(self, x):
        y, _ = self.recurrent(self.embed(x))
        return self.head(y)


def train(cell):
    torch.manual_seed(0)
    model = Guesser(cell)
    optimizer, losses = torch.optim.Adam(model.parameters(), lr=1e-2), []
    for step in range(steps):
        starts = torch.randint(0, len(tokens) - 61, (16, 1))
        rows = tokens[starts + torch.arange(61)]
        logits = model(rows[:, :-1])
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    print(f"{cell}: {losses[0]:.2f} nats a letter before, {losses[-1]:.2f} after")
    return model


models = {cell: train(cell) for cell in ("LSTM", "GRU")}
"""),
        Text("""
## The gates over the letters

A line is the mean over all units, a band holds half of them.
"""),
        Code("""
shown = text[:80]
x = tokens[: len(shown)][None]
seen = {cell: elman.inspect(model, x)["recurrent.l0"] for cell, model in models.items()}
drawn, axes = plots.figure(2, 1, height=2.6, width=11)
for ax, (cell, trace) in zip(axes, seen.items()):
    picture.gates(ax, trace, labels=shown)
    ax.set_title(cell, fontsize=9, loc="left", fontweight="bold")
Shown(drawn)
"""),
        Text("""
## Every unit by itself

The forget gate of the LSTM: a row is a unit, dark is open. Some units keep what they have for many
letters; others are wiped at every space.
"""),
        Code("""
drawn, (ax,) = plots.figure(height=3.6, width=11)
picture.states(ax, seen["LSTM"], name="f", labels=shown)
Shown(drawn)
"""),
        Text("""
## A unit that knows where words end

Which unit's gate goes most with spaces? The correlation is taken over the whole text, and the gate
drawn over its beginning.
"""),
        Code("""
whole = elman.inspect(models["LSTM"], tokens[None])["recurrent.l0"]
space = np.array([c == " " for c in text], float)


def along(name):
    values = whole[name][0]
    centred = values - values.mean(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = (space - space.mean()) @ centred / (centred.std(0) * space.std() * len(space))
    return np.nan_to_num(found)


drawn, (ax,) = plots.figure(height=2.6, width=11)
for colour, name in zip(picture.COLOURS, whole.gates):
    r = along(name)
    unit = int(np.abs(r).argmax())
    ax.plot(whole[name][0, : len(shown), unit], color=colour, label=f"{name}, unit {unit}")
    print(f"gate {name}: unit {unit} goes with spaces, correlation {r[unit]:+.2f}")
for k, c in enumerate(shown):
    if c == " ":
        ax.axvspan(k - 0.5, k + 0.5, color=plots.QUIET, alpha=0.18, linewidth=0)
ax.set_xticks(range(len(shown)), list(shown), fontsize=7)
plots.legend(ax)
Shown(drawn)
"""),
        Text("""
## What to take home

- Gates are read with `elman.inspect(model, x)`: every state, gate and named value, by the names of
  the equations, of any cell and of `torch.nn.LSTM` too.
- A forget gate near 1 keeps: that is where a long memory comes from. Near 0 it starts anew, here at
  the end of a word.
- What a single unit stands for is a matter of chance, and another seed gives another one.
"""),
    ),
)
