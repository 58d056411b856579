"""`python -m elman_runtime stream`: the arguments, and what is said when something goes wrong."""

import argparse
import sys
from pathlib import Path

from elman_runtime.intake import ON_BAD
from elman_runtime.stream import Stream
from elman_runtime.stream_lines.formats import FORMATS
from elman_runtime.stream_lines.running import HEADERS, Options, run

MODEL = "model.safetensors"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The model, and a flag for each of `Options`."""
    plain = Options()
    add = parser.add_argument
    add("model", type=Path, help="a model file, or the folder of a run")
    add("--program", help="of the model; by default step, if there is one, else main")
    add("--format", choices=FORMATS, default=plain.format, help="of the input; raw is float32")
    add("--output-format", choices=FORMATS, help="of the output; by default as the input")
    add("--on-bad", choices=ON_BAD, default=plain.on_bad, help="a row that is not finite: refuse "
        "it, take the last good one again, or leave the state as it is")  # fmt: skip
    add("--columns", default="", help="columns to take, with commas; by default all")
    add("--header", choices=HEADERS, default=plain.header, help="whether CSV begins with names")
    add("--delimiter", default=plain.delimiter, help="between the fields of CSV")
    add("--state", type=Path, help="file to keep the state in, and to go on from")
    add("--save-every", type=int, default=plain.save_every, metavar="N", help="rows between saves")
    add("--resume", action="store_true", help="the input comes from its start again: pass over "
        "the rows that the state has taken")  # fmt: skip


def options(given: argparse.Namespace) -> Options:
    """What the flags say."""
    found = {key: value for key, value in vars(given).items() if key in Options.__annotations__}
    return Options(**found | {"columns": tuple(filter(None, given.columns.split(",")))})


def stream(given: argparse.Namespace) -> int:
    """Do it; the exit status."""
    model = given.model / MODEL if given.model.is_dir() else given.model
    how = options(given)
    made = Stream(model, how.program, on_bad=how.on_bad)
    try:
        return run(made, model, how, sys.stdin.buffer, sys.stdout.buffer, say)
    except KeyboardInterrupt:
        say("stopped at once; the state is that of the last save")
        return 130


def say(text: str) -> None:
    """A line for a person: standard output is for results."""
    print(f"elman_runtime: {text}", file=sys.stderr, flush=True)
