"""Texts judged by a stored classifier, and `python -m elman_runtime classify`."""

import argparse
import csv
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from elman_runtime import lexicon as lexicons
from elman_runtime.bag import Bag, restored_bag
from elman_runtime.errors import refusal, shown
from elman_runtime.files import StrPath
from elman_runtime.lexicon import BOTH, PARTS, Lexicon, inputs_of, shortened
from elman_runtime.model import Model, load
from elman_runtime.program import Interpreter, Runner

__all__ = ["KIND", "Judge", "TextClassifier", "add_arguments", "classify", "steps_of"]

KIND = "Classifier"
Array = np.ndarray[Any, np.dtype[Any]]

_BLOCK = 512  # tokens that are read at a time
_REPAIR = "give the model file of a classify run on texts"


class Judge:
    """What a classifier that reads forwards alone thinks after each word.

    After the words of a text it says what the classifier says of the text.

    Args:
        classes: in the order of the probabilities.
        lexicon: splits a text.
        advance: reads one token more, and returns the probabilities (C,) so far.
    """

    def __init__(
        self, classes: Sequence[str], lexicon: Lexicon, advance: Callable[[Array], Array]
    ) -> None:
        self._classes, self._lexicon, self._advance = tuple(classes), lexicon, advance
        self._last: dict[str, float] | None = None

    def step(self, word: str) -> dict[str, float]:
        """The probability of each class, with one word more.

        Args:
            word: one or several words with their signs, or characters; "" changes nothing.

        Raises:
            TypeError: it is not text.
            ValueError: it is the first, and has nothing in it.
        """
        if not isinstance(word, str):
            raise TypeError(f"word must be str; got {type(word).__name__}; decode or convert it")
        for token in self._lexicon.encode(word):
            sure = self._advance(token).tolist()
            self._last = dict(zip(self._classes, sure, strict=True))
        if self._last is None:
            raise ValueError(f"word must have a word in it at first; got {word!r}; give one")
        return dict(self._last)


def steps_of(runner: Runner, classes: int) -> Callable[[Array], Array]:
    """What a `Judge` advances by: a step program from tokens to probabilities, at its start.

    A token is what a row of `Lexicon.encode` is: a number, or a word's with those of its parts.
    """
    state, made = runner.start()[None].copy(), np.empty((1, 1, classes), runner.dtype)

    def advance(token: Array) -> Array:
        runner.run(state, inputs_of(token[None, None]), [made])
        found: Array = made[0, 0].copy()
        return found

    return advance


class TextClassifier:
    """A stored classifier of texts: its programs, its classes, and what splits a text.

    - `classes`: in the order of the probabilities.
    - `separator`: what joins the labels of a text; "" where each has one.

    Args:
        model: a model file, or what `elman_runtime.load` returned.

    Raises:
        ModelFileError: it is none, or its parts do not fit together.
        ImportError: its vocabulary needs the library `tokenizers`.
        OSError: the file cannot be read.
    """

    def __init__(self, model: "Model | StrPath") -> None:
        self.model = model if isinstance(model, Model) else load(model)
        found = self.model.meta["kind"]
        if found != KIND or "extra.vocabulary" not in self.model.tensors:
            came = "one of numbers" if found == KIND else shown(found)
            raise refusal(self.model.path, "kind", "a classifier of texts", came, _REPAIR)
        self.classes = _names(self.model)
        self.separator = str(self.model.settings.get("label_separator", ""))
        self._lexicon = _lexicon(self.model)
        self._bag = _bag(self.model, len(self.classes))
        _check_ports(self.model, len(self.classes), self._lexicon, self._bag is not None)
        main = self.model.program("main")
        self._whole = Interpreter(main, self.model.tensors, self.model.tapes)
        self._steps = self.model.runner("step") if "step" in self.model.programs else None

    def probabilities(self, text: str) -> Array:
        """The probability of each class, (C,)."""
        tokens = shortened(self._lexicon.encode(text))[None]
        if self._steps is None or not tokens.size:
            given = inputs_of(tokens)
            if self._bag is not None:
                given.append(self._bag.scores(self._bag.encode(text))[None])
            found: Array = self._whole.run(given)[0][0][0]
            return found
        state, made = self._steps.start()[None].copy(), np.empty(0)
        for start in range(0, tokens.shape[1], _BLOCK):
            block = tokens[:, start : start + _BLOCK]
            made = np.empty((*block.shape[:2], len(self.classes)), self._steps.dtype)
            self._steps.run(state, inputs_of(block), [made])
        last: Array = made[0, -1]
        return last

    def label(self, sure: Array) -> str:
        """The likeliest class; with several labels, those from a half up, joined."""
        if not self.separator:
            return self.classes[int(sure.argmax())]
        return self.separator.join(self.classes[k] for k in np.flatnonzero(sure >= 0.5))

    def stream(self) -> Judge:
        """Judges a text word by word.

        Raises:
            ValueError: it reads backwards too.
        """
        if self._steps is None:
            raise ValueError(
                f"stream: must be of a classifier that reads forwards alone; {self.model.path} "
                "reads backwards too; train one with --causal"
            )
        return Judge(self.classes, self._lexicon, steps_of(self._steps, len(self.classes)))


def _names(model: Model) -> tuple[str, ...]:
    stored = model.tensors.get("extra.classes")
    try:
        found = json.loads(b"" if stored is None else stored.astype(np.uint8).tobytes())
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise refusal(model.path, "extra.classes", "a list of names", shown(found), _REPAIR)
    return tuple(found)


def _lexicon(model: Model) -> Lexicon:
    settings, raw = model.settings, model.tensors["extra.vocabulary"].astype(np.uint8).tobytes()
    try:
        return lexicons.restored(str(settings.get("tokens")), raw, bool(settings.get("keep_case")))
    except ValueError as error:
        raise refusal(model.path, "extra.vocabulary", "a vocabulary", str(error), _REPAIR) from None


def _bag(model: Model, classes: int) -> Bag | None:
    try:
        return restored_bag(model.tensors, bool(model.settings.get("keep_case")), classes)
    except (KeyError, ValueError) as error:
        raise refusal(model.path, "extra.bag", "a bag of words", str(error), _REPAIR) from None


def _check_ports(model: Model, classes: int, lexicon: Lexicon, bag: bool) -> None:
    """Programs take tokens and give probabilities of the classes."""
    tokens, words = lexicon.size, (("T",), "int")
    parts: list[Any] = [words] * PARTS + [(("T", 1), "float")] if lexicon.kind == BOTH else []
    parts += [((classes,), "float")] if bag else []
    for name, shape in (("main", (classes,)), ("step", ("T", classes))):
        if name not in model.programs and name == "step":
            continue
        program = model.program(name)
        inputs, outputs = program.inputs, program.outputs
        tables = [model.tensors[n.params["weight"]] for n in program.nodes if n.op == "embedding"]
        kinds = [(v.shape, v.kind) for v in inputs]
        wide = all(len(table) == tokens for table in tables)
        if kinds != [words, *parts] or [v.shape for v in outputs] != [shape] or not wide:
            rule = f"from {tokens} tokens to the probabilities of {classes}"
            raise refusal(model.path, f"program {name!r}", rule, f"{inputs} to {outputs}", _REPAIR)


# --- the command ---------------------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The model; texts come on standard input."""
    parser.add_argument("model", type=Path, help="a model file, or the folder of a run")
    parser.add_argument(
        "--by-word", action="store_true", help="judge after each word of each text; needs --causal"
    )


def classify(given: argparse.Namespace) -> int:
    """Judge the lines of standard input, and write CSV; the exit status.

    Raises:
        ModelFileError, OSError: the file cannot be used.
        ValueError: texts are no UTF-8, or the model cannot judge word by word.
    """
    path = given.model / "model.safetensors" if given.model.is_dir() else given.model
    model = TextClassifier(path)
    rows = _by_word(model, _lines()) if given.by_word else _by_line(model, _lines())
    _write(rows, sys.stdout)
    return 0


def _lines() -> Iterator[str]:
    for number, raw in enumerate(sys.stdin.buffer, 1):
        try:
            yield raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"line {number}: the text must be UTF-8; got the byte 0x{raw[error.start]:02x}; "
                "save it as UTF-8"
            ) from None


def _by_line(model: TextClassifier, lines: Iterable[str]) -> Iterator[list[Any]]:
    """Of each text its number, its label, and the probabilities: as `elman predict` writes them."""
    yield ["row", "label", *(f"p({name})" for name in model.classes)]
    for number, text in enumerate(lines, 1):
        sure = model.probabilities(text)
        yield [number, model.label(sure), *(f"{one:.4f}" for one in sure.tolist())]


def _by_word(model: TextClassifier, lines: Iterable[str]) -> Iterator[list[Any]]:
    """The same after each word, which stands beside the number of its text."""
    model.stream()
    yield ["row", "word", *(f"p({name})" for name in model.classes)]
    for number, text in enumerate(lines, 1):
        judge = model.stream()
        # With the space before it, which counts where tokens are characters.
        for word in re.findall(r"\s*\S+", text):
            try:
                sure = judge.step(word)
            except ValueError:  # what is no word yet: there is nothing to judge
                continue
            yield [number, word.strip(), *(f"{one:.4f}" for one in sure.values())]


def _write(rows: Iterable[list[Any]], out: TextIO) -> None:
    writer = csv.writer(out, lineterminator="\n")
    for row in rows:
        writer.writerow(row)
        out.flush()
