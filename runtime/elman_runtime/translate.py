"""Translations from a stored translator: `python -m elman_runtime translate`, without torch."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from elman_runtime import vocabulary as vocabularies
from elman_runtime.errors import ModelFileError, refusal, shown
from elman_runtime.model import Model, load
from elman_runtime.program.interpret import Interpreter
from elman_runtime.search import Hypothesis, beam_search, check_search
from elman_runtime.translating import Searching, Translation, most, padded, translate
from elman_runtime.vocabulary import BOUNDARY, Tokens, Vocabulary

Array = NDArray[Any]

KIND = "Translator"
ENCODE, STEP = "encode", "step"
"""The names of its programs: a source to its memory, and a token to those that may be next."""

_TOGETHER = 64  # lines that are searched together
_REPAIR = "give the model file of a translate run"


class ProgramSearch:
    """Searches for the targets of sources, by the programs of a translator's file.

    `encode` gives `values`, `keys` and the first states; `step` takes a token, these, and gives
    log-probabilities and the new states, in the same order.
    """

    def __init__(self, model: Model) -> None:
        encode, step = (model.program(name) for name in (ENCODE, STEP))
        self._encode = Interpreter(encode, model.tensors, model.tapes)
        self._step = Interpreter(step, model.tensors, model.tapes)

    @property
    def tokens(self) -> int:
        """V, the tokens that there are."""
        return int(self._step.program.outputs[0].shape[0])

    def __call__(self, sources: Sequence[Tokens], how: Searching) -> list[list[Hypothesis]]:
        """The likeliest targets of each source, the best first."""
        source, lengths = padded([[*one, BOUNDARY] for one in sources])
        made, _ = self._encode.run([source], lengths)
        return beam_search(
            self._next,
            (lengths, made[:2], made[2:]),
            start=BOUNDARY,
            end=BOUNDARY,
            most=most(sources, how),
            beam=how.beam,
            length_penalty=how.length_penalty,
            n_best=how.n_best,
        )

    def _next(self, token: Array, state: Any) -> tuple[Array, Any]:
        lengths, memory, states = state
        (found, *new), _ = self._step.run([token, *memory, *states], lengths)
        return found, (lengths, memory, tuple(new))


class ProgramTranslator:
    """A translator that needs no torch: its programs, its subwords, and how it searches.

    - `how`: beam and length penalty as the file says, unless told otherwise.

    Raises:
        ModelFileError: the file holds no translator, or one without programs, or is damaged.
        ImportError: its subwords need the library `tokenizers`.
    """

    def __init__(self, model: Model) -> None:
        _check_model(model)
        stored = model.tensors.get("extra.vocabulary")
        if stored is None or stored.dtype != np.uint8:
            raise refusal(model.path, "extra.vocabulary", "bytes", "none", _REPAIR)
        try:
            self.vocabulary: Vocabulary = vocabularies.restore("subwords", stored.tobytes())
        except ValueError as error:
            rule = "a vocabulary"
            raise refusal(model.path, "extra.vocabulary", rule, str(error), _REPAIR) from None
        self._search = ProgramSearch(model)
        if self._search.tokens != self.vocabulary.size:
            rule, came = f"the log-probabilities of {self.vocabulary.size}", self._search.tokens
            raise refusal(model.path, f"program {STEP!r}", rule, str(came), _REPAIR)
        self.how = _how(model)

    def translate(
        self, lines: Sequence[str], how: Searching | None = None
    ) -> list[list[Translation]]:
        """The translations of each line, the best first; an empty line's is empty."""
        return translate(self._search, self.vocabulary, lines, how or self.how)


def _check_model(model: Model) -> None:
    """Whether the programs are those of a translator, in names and forms."""
    kind = model.meta["kind"]
    if kind != KIND:
        raise refusal(model.path, "kind", "a translator", shown(kind), _REPAIR)
    for name in (ENCODE, STEP):
        if name not in model.programs:
            came = ", ".join(sorted(model.programs)) or "none"
            raise refusal(model.path, "programs", f"one called {name!r}", came, _REPAIR)
    encode, step = model.programs[ENCODE], model.programs[STEP]
    forms = [[v.shape for v in side] for side in (encode.outputs, step.inputs[1:])]
    again = [v.shape for v in step.outputs[1:]]
    kinds = [[v.kind for v in one.inputs[:1]] for one in (encode, step)]
    first = [v.shape for v in (*encode.inputs, *step.inputs[:1])]
    fits = forms[0] == forms[1] and forms[1][2:] == again and kinds == [["int"], ["int"]]
    if not fits or first != [("T",), ()] or len(step.outputs[0].shape) != 1:
        rule = f"{STEP!r} takes a token and what {ENCODE!r} gives, and gives the new states"
        raise refusal(model.path, "programs", rule, f"{forms} to {again}", _REPAIR)


def _how(model: Model) -> Searching:
    beam, penalty = (model.settings.get(name) for name in ("beam", "length_penalty"))
    try:
        check_search(beam, penalty, 1)
    except (TypeError, ValueError) as error:
        raise ModelFileError(f"{model.path}: settings: {error}") from None
    return Searching(beam, penalty)  # type: ignore[arg-type]  # just checked


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The model and how it searches: flags of `elman predict`."""
    add = parser.add_argument
    add("model", type=Path, help="a model file, or the folder of a run")
    add("--beam", type=int, help="beginnings kept at each step; 1 takes the likeliest word always")
    add("--n-best", type=int, default=1, help="translations of each line, as rows of line number, "
        "score and text")  # fmt: skip
    add("--length-penalty", type=float, help="0 prefers short ones, 1 ranks by the mean per token")


def run(given: argparse.Namespace) -> int:
    """Translate the lines of standard input, in UTF-8; the exit status.

    Raises:
        ModelFileError, OSError: the file cannot be used.
        ValueError, TypeError: an argument breaks its rule, or the text is no UTF-8.
    """
    path = given.model / "model.safetensors" if given.model.is_dir() else given.model
    model = ProgramTranslator(load(path))
    beam = given.beam if given.beam is not None else max(model.how.beam, given.n_best)
    penalty = model.how.length_penalty if given.length_penalty is None else given.length_penalty
    check_search(beam, penalty, given.n_best)
    how = Searching(beam, penalty, given.n_best)
    number, stdin = 0, sys.stdin.buffer
    lines = _text(stdin)
    while some := list(islice(lines, 1 if stdin.isatty() else _TOGETHER)):
        for found in model.translate(some, how):
            number += 1
            _show(found, number, given.n_best)
    return 0


def _show(found: Sequence[Translation], number: int, several: int) -> None:
    rows = [found[0].text] if several == 1 else [
        f"{number}\t{one.score:.4f}\t{one.text}" for one in found
    ]  # fmt: skip
    for row in rows:
        sys.stdout.buffer.write(f"{row}\n".encode())
    sys.stdout.buffer.flush()


def _text(stream: IO[bytes]) -> Iterator[str]:
    for number, line in enumerate(stream, 1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"standard input: line {number}: the text must be UTF-8; got the byte "
                f"0x{line[error.start]:02x}; save it as UTF-8"
            ) from None
