"""`elman generate`, `score` and `evaluate` for language models."""

import sys
from dataclasses import dataclass
from pathlib import Path

from elman.cells import Cell
from elman.cli import run_folder
from elman.cli.cell_files import find_cell
from elman.cli.console import command, result, say
from elman.data.text import Source, check_encoding
from elman.tasks.language import LanguageModel
from elman.tasks.shared import model_path
from elman.tasks.texts.fitted import TASK
from elman_runtime import ModelFileError, files, model_file
from elman_runtime.generate import show

Cells = tuple[type[Cell], ...]


def is_language(run: Path) -> bool:
    """Whether a run or a model file is of a language model; no, where that cannot be told."""
    path = model_path(run)
    if run.is_dir() and not path.exists() and (run / run_folder.SETTINGS).exists():
        return TASK in run_folder.read_settings(run)
    try:
        return model_file.describe(path).meta.get("task") == TASK
    except (OSError, ModelFileError):
        return False


def check_flags(given: dict[str, object]) -> None:
    """Raises ValueError for a flag of another task."""
    for flag, value in given.items():
        if value is not None:
            raise ValueError(f"{flag} is for forecasts; got a language model; leave it out")


def load(run: Path, cell: str, cells: Cells) -> LanguageModel:
    """The model of a run or a model file; `cell` names the user's own, if it has one."""
    own = (find_cell(cell, cells), *cells) if cell else cells
    if run.is_dir() and not model_path(run).exists():
        again = command(["train", TASK, "--resume", run])
        raise ValueError(
            f"{run}: a run has a {run_folder.MODEL}; got none; finish it with: {again}"
        )
    return LanguageModel.load(run, own)


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
        return "".join(Source(path.name, path).blocks(check_encoding(encoding)))
    raw = sys.stdin.buffer.read() if hasattr(sys.stdin, "buffer") else sys.stdin.read().encode()
    try:
        return raw.decode(check_encoding(encoding)).replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"standard input: line {line}: the text must be {encoding.upper()}; got the byte "
            f"0x{raw[error.start]:02x}; give its own encoding (--encoding latin-1)"
        ) from None


def evaluate(
    run: Path, data: Path | None, dynamic: bool, rate: float | None, cell: str, cells: Cells
) -> None:
    """Print the table of scores, or the score of dynamic evaluation beside that without."""
    model = load(run, cell, cells)
    source = dict(model.fitted.understood).get("text", "its text")
    if data is not None:
        say(f"Measured now on {data}, by the model trained on {source}:")
    elif not dynamic:
        say(f"The table stored when it was trained on {source}; --data FILE measures another text:")
    evaluation = model.evaluate(data)
    for note in model.fitted.notes if data is None else ():
        say(f"note: {note}")
    if not dynamic:
        result(evaluation.verdict())
        result("")
        result(evaluation.table().text())
        return
    say("Dynamic evaluation: each stretch is scored, then learnt from; this takes a while.")
    found = model.evaluate_dynamic(data, rate)
    before, unit = evaluation.test[evaluation.network], evaluation.unit
    for name, one in (("as trained", before), ("dynamic", found)):
        bits = f"{one.bits:.4f} bits, {one.nats:.4f} nats a {unit}"
        result(f"{name:<12} {bits}, perplexity {one.perplexity:.4f}")
