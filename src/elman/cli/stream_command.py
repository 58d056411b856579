"""`elman stream`: what `python -m elman_runtime stream` does, for the runs of every task."""

import sys
from pathlib import Path
from typing import Annotated, Any

from elman.cells import Cell
from elman.cli.console import say
from elman.cli.flags import finished, with_flags
from elman.tasks.forecast import Forecaster
from elman.tasks.shared import model_path
from elman_runtime import model_file
from elman_runtime.stream import Stream
from elman_runtime.stream_lines import Options, run

_COLUMNS = "columns to take, by name, with commas, in the model's order; by default all."


def app(cells: tuple[type[Cell], ...]) -> Any:
    """The arguments and the help."""
    from cyclopts import Parameter

    @finished
    @with_flags(Options, "Stream", 2, words={"columns": _COLUMNS})
    def stream(
        model: Annotated[Path, Parameter(name="RUN", help="Folder of a run, or a model file.")],
        /,
        *,
        series: Annotated[
            str | None, Parameter(help="Forecasters: the series; none is needed for an only one.")
        ] = None,
        **given: Any,
    ) -> None:
        """Feed standard input to a model row by row, and write its outputs.

        Each output row has the number of its input row, from 0, and is there before
        the next row is read. After the program was killed, start it again with the
        same --state, and with --resume if the input begins at its start again; rows
        since the last save are computed anew, the same bit for bit. A forecaster goes
        on from the end of a series, a value a row.
        """
        options, path = Options(**given), model_path(model)
        made = _open(path, series, options, cells)
        status = run(made, path, options, sys.stdin.buffer, sys.stdout.buffer, _say)
        if status:
            raise SystemExit(status)

    return stream


def _open(
    path: Path, series: str | None, options: Options, cells: tuple[type[Cell], ...]
) -> Stream:
    """A stream of a model file; of a forecaster, one that knows the end of the series."""
    described = model_file.describe(path)
    if described.meta.get("task") == "forecast":
        known = Forecaster.load(path, cells).stream(series)
        made = Stream(known.model, on_bad=options.on_bad)
        made.restore(known.state())
        return made
    if series is not None:
        raise ValueError(f"--series is for forecasters; got {path}; leave it out")
    made = Stream(path, options.program, on_bad=options.on_bad)
    if described.meta.get("task") == "classify" and "extra.vocabulary" in described.tensors:
        _say(
            "a row is the number of a token; `python -m elman_runtime classify "
            f"{path} --by-word` reads lines of text"
        )
    return made


def _say(text: str) -> None:
    say(f"elman: {text}")
