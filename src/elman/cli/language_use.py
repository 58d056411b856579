"""`elman generate`, `score` and `evaluate` for language models."""

import sys
from dataclasses import dataclass
from pathlib import Path

from elman.cli import use
from elman.cli.console import result, say
from elman.cli.results import print_verdict
from elman.cli.use import Cells
from elman.data.text import Source, check_encoding
from elman.tasks.language import LanguageModel
from elman.tasks.texts.fitted import TASK
from elman_runtime import files
from elman_runtime.generate import show


def load(run: Path, cell: str, cells: Cells) -> LanguageModel:
    """The model of a run or a model file; `cell` names the user's own, if it has one."""
    return use.load(run, TASK, LanguageModel.load, cell, cells)


@dataclass(frozen=True)
class Writing:
    """How text is written.

    - `prompt`: what to go on from; several with a flag each. None begins a document.
    - `prompts`: a file of prompts, one a line, written side by side.
    - `length`: tokens to write at most.
    - `temperature`: below 1 the likely becomes likelier; 0 takes the likeliest always.
    - `top_k`: only the k likeliest tokens; 0 for all.
    - `top_p`: only the likeliest tokens whose probabilities come to p; 1 for all.
    - `min_p`: only tokens at least this share as likely as the likeliest.
    - `seed`: of the draws: the same seed, the same text.
    - `stop`: end before this text; several with a flag each.
    """

    prompt: tuple[str, ...] = ()
    prompts: Path | None = None
    length: int = 500
    temperature: float = 0.8
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    seed: int = 0
    stop: tuple[str, ...] = ()

    def all_prompts(self) -> list[str]:
        """Those of the flags and of the file; "" where there is none."""
        found = list(self.prompt)
        if self.prompts is not None:
            found += _read(self.prompts, "utf-8").splitlines()
        return found or [""]


def generate(run: Path, how: Writing, cell: str, cells: Cells) -> None:
    """Print text as it is written: after its prompt, several one after the other."""
    model = load(run, cell, cells)
    prompts = how.all_prompts()
    for unknown in dict.fromkeys(map(model.fitted.vocabulary.unknown, prompts)):
        if unknown:
            say(f"note: not in the vocabulary, read as unknown: {' '.join(map(repr, unknown))}")
    given = {name: value for name, value in vars(how).items() if not name.startswith("prompt")}
    written = model.stream(prompts, **given)
    show(prompts, written, sys.stdout)


@dataclass(frozen=True)
class Scoring:
    """What is scored, and what becomes of it.

    - `text`: score this text instead of a file.
    - `each`: print a row for each token, as CSV: token, log-probability, surprise.
    - `picture`: HTML file to write, the text coloured by surprise.
    - `encoding`: of the file.
    """

    text: str | None = None
    each: bool = False
    picture: Path | None = None
    encoding: str = "utf-8"


def score(run: Path, file: Path | None, how: Scoring, cell: str, cells: Cells) -> None:
    """Print how likely a text is: a file's, that of --text, or of standard input."""
    model = load(run, cell, cells)
    if how.text is not None and file is not None:
        raise ValueError("--text must be given without FILE; got both; leave one out")
    text = how.text if how.text is not None else _read(file, how.encoding)
    if not text:
        raise ValueError(f"{file or 'standard input'}: must have text; got nothing; give some")
    found = model.score(text)
    if found.unknown:
        shown = " ".join(map(repr, found.unknown[:20]))
        say(f"note: not in the vocabulary, scored as unknown: {shown}")
    unit = model.fitted.vocabulary.unit
    if how.picture is not None:
        name = file.name if file else "text"
        files.write_atomic(how.picture, found.page(f"Surprise: {name}", unit).encode())
        say(f"Wrote {how.picture}")
    result(found.csv().rstrip("\n") if how.each else found.summary(unit))


def _read(path: Path | None, encoding: str) -> str:
    """A text, whole: from a file, or from standard input."""
    if path is not None:
        return "".join(Source(path.name, path).blocks(check_encoding(encoding), as_bytes=False))
    raw = sys.stdin.buffer.read() if hasattr(sys.stdin, "buffer") else sys.stdin.read().encode()
    try:
        return raw.decode(check_encoding(encoding)).replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"standard input: line {line}: the text must be {encoding.upper()}; got the byte "
            f"0x{raw[error.start]:02x}; give its own encoding (--encoding latin-1)"
        ) from None


@dataclass(frozen=True)
class Measuring:
    """How a language model is measured.

    - `dynamic`: go on learning from what was just scored.
    - `rate`: learning rate of --dynamic; chosen on validation by default.
    """

    dynamic: bool = False
    rate: float | None = None


def evaluate(run: Path, data: Path | None, how: Measuring, cell: str, cells: Cells) -> None:
    """Print the table of scores, or the score of dynamic evaluation beside that without."""
    model = load(run, cell, cells)
    source = dict(model.fitted.understood).get("text", "its text")
    if data is not None:
        say(f"Measured now on {data}, by the model trained on {source}:")
    elif not how.dynamic:
        say(f"The table stored when it was trained on {source}; --data FILE measures another text:")
    evaluation = model.evaluate(data)
    for note in model.fitted.notes if data is None else ():
        say(f"note: {note}")
    if not how.dynamic:
        print_verdict(evaluation)
        return
    say("Dynamic evaluation: each stretch is scored, then learnt from; this takes a while.")
    found = model.evaluate_dynamic(data, how.rate)
    before, unit = evaluation.test[evaluation.network], evaluation.unit
    for name, one in (("as trained", before), ("dynamic", found)):
        bits = f"{one.bits:.4f} bits, {one.nats:.4f} nats a {unit}"
        result(f"{name:<12} {bits}, perplexity {one.perplexity:.4f}")
