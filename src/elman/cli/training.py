"""What `elman train` does alike for every task: settings, runs that go on, and Ctrl-C."""

import dataclasses
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from elman.cli import run_folder
from elman.cli.config import fields, read_config
from elman.cli.console import command, say
from elman.cli.interrupted import Interrupted
from elman.train import FitSettings

_CHANGEABLE = ("steps", "epochs", "minutes", "patience", "cell")
"""What may change when a run goes on."""

Sections = dict[str, dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class Run:
    """What a run is told beside the settings of the model and of its training.

    - `runs`: where the folder of the run is made.
    - `resume`: go on with this run, which was stopped or killed.
    - `config`: settings from a TOML file, such as that of a run; flags count more.
    - `threads`: of torch; 0 leaves its own choice, the number of cores.
    """

    runs: Path = Path("runs")
    resume: Path | None = None
    config: Path | None = None
    threads: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError for a negative number of threads."""
        if self.threads < 0:
            raise ValueError(f"--threads: must be a whole number from 0 up; got {self.threads}")

    def set_threads(self) -> None:
        """Have torch use so many threads."""
        if self.threads:
            torch.set_num_threads(self.threads)


def configured(
    config: Path | None, task: str, settings: type[Any], data: Iterable[str], **more: set[str]
) -> Sections:
    """The tables of --config, each key known; none where it was not given.

    Args:
        config: a settings.toml, or the folder of a run.
        task: its table holds fields of `settings`.
        settings: the task's dataclass.
        data: what [data] may hold.
        more: further tables, and what they may hold.
    """
    if config is None:
        return {}
    known = {"data": set(data), task: fields(settings), "fit": fields(FitSettings)}
    return read_config(config, known | more)


def check_alone(*given: object) -> None:
    """Raises ValueError where files or settings were given beside --resume."""
    if any(given):
        raise ValueError(
            "--resume goes on with the files and settings of the run; got others; leave them out, "
            "or start a new run"
        )


def check_same(run: Path, sections: Sections, sha256: str, what: str) -> None:
    """Raises ValueError where `what` a run began with has changed since."""
    if sha256 != sections["data"].get("sha256", ""):
        raise ValueError(
            f"{run}: a run goes on with the {what} it began with; got files that have changed "
            "since; put the old ones back, or start a new run"
        )


def stored(run: Path, task: str, given: Iterable[str]) -> Sections:
    """The settings of a run that goes on.

    Raises:
        ValueError: it is no run of this task, or flags were given that it has fixed.
    """
    sections: Sections = run_folder.read_settings(run)
    if not {"data", task, "fit"} <= sections.keys():
        path = run / run_folder.SETTINGS
        raise ValueError(f"{path}: must have [data], [{task}] and [fit]; start a new run")
    fixed = sorted(set(given) - set(_CHANGEABLE))
    if fixed:
        raise ValueError(
            f"--{fixed[0].replace('_', '-')} is fixed by the run that goes on; only --steps, "
            "--epochs, --minutes and --patience may change; leave it out, or start a new run"
        )
    return sections


def again(sections: Sections, task: str) -> dict[str, Any]:
    """The settings of the task, but for the cell, and of training, as the run began with them."""
    own = {name: value for name, value in sections[task].items() if name != "cell"}
    # What TOML leaves out was None, whatever the default is.
    empty = dict.fromkeys(fields(FitSettings) - sections["fit"].keys())
    return own | empty | sections["fit"]


def say_read(understood: Iterable[tuple[str, str]], notes: Iterable[str]) -> None:
    """Say what was understood of the data, and what may be wrong with them."""
    for name, words in understood:
        say(f"  {name:<11} {words}")
    for note in notes:
        say(f"  warning     {note}")


@contextmanager
def fitting(run: Path, task: str, *, resume: bool) -> Iterator[None]:
    """Say where it trains; where Ctrl-C ends it, say how to go on.

    Raises:
        Interrupted: in place of KeyboardInterrupt.
    """
    say()
    say(f"{'Going on with' if resume else 'Training in'} {run} (Ctrl-C stops; --resume goes on)")
    try:
        yield
    except KeyboardInterrupt as error:
        what = str(error).split(";")[0] or "stopped"
        on = command(["train", task, "--resume", run])
        raise Interrupted(f"elman: {what}. Go on with:\n  {on}") from None
