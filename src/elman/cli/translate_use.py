"""`elman predict` and `evaluate` for translators."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from elman.cli import standard_input, use
from elman.cli.console import result, say
from elman.cli.results import print_verdict
from elman.cli.use import Cells
from elman.data.text import Source, check_encoding
from elman.tasks.translate import Translator
from elman.tasks.translating.fitted import TASK
from elman_runtime import files

_TOGETHER = 256  # lines of a file that are translated together


@dataclass(frozen=True)
class Wanted:
    """How translations are searched for and given; None for what the model was trained with.

    - `beam`: beginnings kept at each step of the search; 1 takes the likeliest word always.
    - `n_best`: translations of each line; above 1, each comes as a row of line number, score and
      text, with tabs between.
    - `length_penalty`: 0 prefers short translations, 1 ranks by the mean per token.
    """

    beam: int | None = None
    n_best: int | None = None
    length_penalty: float | None = None


@dataclass(frozen=True)
class Measuring:
    """How a translator is measured; None for what it was trained with.

    - `target`: the references, where --data is the source alone: two aligned files.
    - `beam`: beginnings kept at each step of the search.
    - `length_penalty`: 0 prefers short translations, 1 ranks by the mean per token.
    """

    target: Path | None = None
    beam: int | None = None
    length_penalty: float | None = None


def load(run: Path, cell: str, cells: Cells) -> Translator:
    """The model of a run or a model file; `cell` names the user's own, if it has one."""
    return use.load(run, TASK, Translator.load, cell, cells)


def predict(
    run: Path,
    file: Path | None,
    text: str | None,
    wanted: Wanted,
    output: Path | None,
    cell: str,
    cells: Cells,
) -> None:
    """Translate the lines of a file, of --text, or of standard input as they come."""
    model = load(run, cell, cells)
    if file is not None and text is not None:
        raise ValueError("--text must be given without FILE; got both; leave one out")
    found = _translated(model, _lines(file, text, model.settings.encoding), wanted)
    if output is None:
        for line in found:
            result(line)
        return
    count = 0

    def counted() -> Iterator[bytes]:
        nonlocal count
        for line in found:
            count += 1
            yield f"{line}\n".encode()

    files.write_atomic(output, counted())
    say(f"Wrote {output}: {count:,} lines")


def _translated(model: Translator, blocks: Iterable[list[str]], wanted: Wanted) -> Iterator[str]:
    """Lines to print: a translation each, or with several a row each."""
    several = 1 if wanted.n_best is None else wanted.n_best
    given: dict[str, Any] = {"beam": wanted.beam, "length_penalty": wanted.length_penalty}
    if wanted.beam is None and several > model.settings.beam:
        given["beam"] = several
    number = 0
    for lines in blocks:
        for found in model.search(lines, n_best=several, **given):
            number += 1
            if several == 1:
                yield found[0].text
            for one in found if several > 1 else ():
                yield f"{number}\t{one.score:.4f}\t{one.text}"


def _lines(file: Path | None, text: str | None, encoding: str) -> Iterator[list[str]]:
    """Lines of a file many together; of standard input each as it comes."""
    if text is not None:
        yield text.split("\n")
    elif file is not None:
        source = Source(file.name, file)
        yield from _many(_of_blocks(source.blocks(check_encoding(encoding), as_bytes=False)))
    else:
        interactive = sys.stdin.isatty()
        lines = standard_input.lines(encoding)
        yield from ([line] for line in lines) if interactive else _many(lines)


def _many(lines: Iterator[str]) -> Iterator[list[str]]:
    while some := list(islice(lines, _TOGETHER)):
        yield some


def _of_blocks(blocks: Iterable[str]) -> Iterator[str]:
    """Lines of a text that comes in blocks; nothing after the last line feed is no line."""
    rest = ""
    for block in blocks:
        *whole, rest = (rest + block).split("\n")
        yield from whole
    if rest:
        yield rest


def evaluate(run: Path, data: Path | None, how: Measuring, cell: str, cells: Cells) -> None:
    """Print the table of scores: the stored one, or that of other pairs."""
    model = load(run, cell, cells)
    if data is None and how.target is not None:
        raise ValueError("--target must be given with --data; got none; give the source as --data")
    if data is None:
        say("The table stored when it was trained; --data PAIRS measures others:")
        for note in model.fitted.notes:
            say(f"note: {note}")
    else:
        say(f"Measured now on {data}:")
    evaluation = model.evaluate(data, how.target, beam=how.beam, length_penalty=how.length_penalty)
    print_verdict(evaluation)
