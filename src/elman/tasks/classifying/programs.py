"""A classifier as programs: what its file holds, and what judges a running text."""

from typing import Any

from elman.nn import Builder
from elman.tasks.classifying.network import Numbers, SequenceClassifier, WordsAndParts
from elman_runtime.lexicon import PARTS
from elman_runtime.program import Program


def programs_of(
    network: SequenceClassifier,
    temperature: float,
    several: bool,
    builder: Builder,
    words: bool = False,
) -> dict[str, Program]:
    """ "main", from a sequence to probabilities (C,); of a causal network also "step", (T, C).

    Tokens (T,) come in, or the inputs (T, W) of steps, as the network takes them; with words and
    parts what `elman_runtime.lexicon.inputs_of` gives. Probabilities are calibrated. With `words`
    "main" takes the scores (C,) of a bag of words too, and there is no "step": what they come to
    after each word is not known without the words before it.

    Raises:
        TraceError: its cell has no tape.
        CannotStore: a module of it has no operation.
    """
    found = {"main": _program(network, temperature, several, builder, words)}
    if network.recurrent.directions == 1 and not words:
        each = Builder(each=True, beside=builder)
        found["step"] = _program(network, temperature, several, each)
    return found


def _program(
    network: SequenceClassifier, temperature: float, several: bool, b: Builder, words: bool = False
) -> Program:
    x: Any
    if isinstance(network.front, WordsAndParts):
        names = ["token", *(f"part_{k}" for k in range(1, PARTS + 1))]
        x = [*(b.input(name, "T", kind="int") for name in names), b.input("share", "T", 1)]
    elif isinstance(network.front, Numbers):
        x = b.input("x", "T", network.front.linear.in_features)
    else:
        x = b.input("token", "T", kind="int")
    logits = b.lower(network, x, name="model")
    if words:
        logits = b.apply("add", logits, b.input("scores", network.outer.out_features))
    scaled = b.scale(logits, 1 / temperature)
    return b.build(probabilities=b.apply("sigmoid" if several else "softmax", scaled))
