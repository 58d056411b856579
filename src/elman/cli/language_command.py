"""`elman train language`: a new run, or one that goes on."""

import dataclasses
from pathlib import Path
from typing import Any

import torch

from elman.cli import run_folder
from elman.cli.cell_files import find_cell
from elman.cli.config import fields, read_config
from elman.cli.console import command, say
from elman.cli.interrupted import Interrupted
from elman.cli.language_results import TASK, say_results, write_results
from elman.data.corpus import Corpus, load_corpus
from elman.tasks.language import LanguageModel, LanguageSettings, budgeted
from elman.train import FitSettings

Cells = tuple[Any, ...]
_DATA = ("files", "sha256")
# What may change when a run goes on.
_CHANGEABLE = ("steps", "epochs", "minutes", "patience", "cell")


@dataclasses.dataclass(frozen=True)
class LanguageRun:
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


def train(paths: tuple[Path, ...], asked: LanguageRun, given: dict[str, Any], cells: Cells) -> None:
    """Train a new run, or go on with one."""
    if asked.threads:
        torch.set_num_threads(asked.threads)
    if asked.resume is not None:
        _resume(paths, asked, given, cells)
        return
    paths, given = _with_config(paths, asked, given)
    named = given.pop("cell", "LSTM")
    model = LanguageModel(find_cell(named, cells) if isinstance(named, str) else named, **given)
    corpus = model.read(paths)
    run = run_folder.new_run(asked.runs, TASK, paths[0].name)
    run_folder.write_settings(run, _sections(paths, corpus, model))
    _fit(run, model, corpus, resume=False)


def _sections(
    paths: tuple[Path, ...], corpus: Corpus, model: LanguageModel
) -> dict[str, dict[str, Any]]:
    return {
        "data": {"files": [str(path.resolve()) for path in paths], "sha256": corpus.sha256},
        TASK: dataclasses.asdict(model.settings),
        "fit": dataclasses.asdict(budgeted(model.fit_settings)),
    }


def _with_config(
    paths: tuple[Path, ...], asked: LanguageRun, given: dict[str, Any]
) -> tuple[tuple[Path, ...], dict[str, Any]]:
    """The files and the settings: flags first, then what --config says."""
    found: dict[str, dict[str, Any]] = {}
    if asked.config is not None:
        known = {TASK: fields(LanguageSettings), "fit": fields(FitSettings), "data": set(_DATA)}
        found = read_config(asked.config, known)
    paths = paths or tuple(map(Path, found.get("data", {}).get("files", ())))
    if not paths:
        raise ValueError(
            "FILE must be given; got none; for instance: elman train language book.txt"
        )
    return paths, found.get(TASK, {}) | found.get("fit", {}) | given


def _resume(
    paths: tuple[Path, ...], asked: LanguageRun, given: dict[str, Any], cells: Cells
) -> None:
    assert asked.resume is not None
    run = asked.resume
    if asked.config or paths:
        raise ValueError(
            "--resume goes on with the files and settings of the run; got others; leave them out, "
            "or start a new run"
        )
    sections = run_folder.read_settings(run)
    if not {"data", TASK, "fit"} <= sections.keys():
        path = run / run_folder.SETTINGS
        raise ValueError(f"{path}: must have [data], [{TASK}] and [fit]; start a new run")
    fixed = sorted(given.keys() - set(_CHANGEABLE))
    if fixed:
        raise ValueError(
            f"--{fixed[0].replace('_', '-')} is fixed by the run that goes on; only --steps, "
            "--epochs, --minutes and --patience may change; leave it out, or start a new run"
        )
    cell = find_cell(given.pop("cell", sections[TASK]["cell"]), cells)
    sections["fit"] |= given
    own = {name: value for name, value in sections[TASK].items() if name != "cell"}
    # What TOML leaves out was None, whatever the default is.
    empty = {f.name: None for f in dataclasses.fields(FitSettings) if f.name not in sections["fit"]}
    model = LanguageModel(cell, **own, **empty, **sections["fit"])
    corpus = load_corpus(run)
    if corpus is None:
        corpus = model.read([Path(name) for name in sections["data"]["files"]])
    if corpus.sha256 != sections["data"]["sha256"]:
        raise ValueError(
            f"{run}: a run goes on with the text it began with; got files that have changed since; "
            "put the old ones back, or start a new run"
        )
    run_folder.write_settings(run, sections)
    _fit(run, model, corpus, resume=True)


def _fit(run: Path, model: LanguageModel, corpus: Corpus, *, resume: bool) -> None:
    for name, words in corpus.understood():
        say(f"  {name:<11} {words}")
    for note in corpus.notes:
        say(f"  warning     {note}")
    again = command(["train", TASK, "--resume", run])
    say()
    say(f"{'Going on with' if resume else 'Training in'} {run} (Ctrl-C stops; --resume goes on)")
    try:
        model.fit(corpus, run_dir=run, resume=resume, progress=True, say=say)
    except KeyboardInterrupt as error:
        what = str(error).split(";")[0] or "stopped"
        raise Interrupted(f"elman: {what}. Go on with:\n  {again}") from None
    say("writing samples")
    written = write_results(run, model)
    say_results(run, model, written)
