"""`elman train translate`: a new run, or one that goes on."""

import dataclasses
from pathlib import Path
from typing import Any

import torch

from elman.cli import run_folder
from elman.cli.cell_files import find_cell
from elman.cli.config import fields, read_config
from elman.cli.console import command, say
from elman.cli.interrupted import Interrupted
from elman.cli.translate_results import say_results, write_results
from elman.tasks.translate import TranslateSettings, Translator, budgeted
from elman.tasks.translating.fitted import TASK
from elman.tasks.translating.pairs import Parallel
from elman.train import FitSettings

Cells = tuple[Any, ...]
_PARTS = ("files", "validation", "test")
_DATA = (*_PARTS, "sha256")
# What may change when a run goes on.
_CHANGEABLE = ("steps", "epochs", "minutes", "patience", "cell")


@dataclasses.dataclass(frozen=True)
class TranslateRun:
    """What a run is told beside the settings of the model and of its training.

    - `validation`: pairs to choose by: a table, or two aligned files with a comma between; held
      out of the training pairs where it is left out.
    - `test`: pairs to report on, likewise; held out only where no validation is given either.
    - `runs`: where the folder of the run is made.
    - `resume`: go on with this run, which was stopped or killed.
    - `config`: settings from a TOML file, such as that of a run; flags count more.
    - `threads`: of torch; 0 leaves its own choice, the number of cores.
    """

    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    runs: Path = Path("runs")
    resume: Path | None = None
    config: Path | None = None
    threads: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError for a negative number of threads."""
        if self.threads < 0:
            raise ValueError(f"--threads: must be a whole number from 0 up; got {self.threads}")


@dataclasses.dataclass(frozen=True)
class Given:
    """Names of files: one table, or two aligned ones, for each part; none where not given."""

    files: tuple[str, ...]
    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()

    def read(self, model: Translator) -> Parallel:
        """The pairs in them."""
        source, target = _one_or_two("FILE", self.files)
        validation = _one_or_two("--validation", self.validation) if self.validation else None
        test = _one_or_two("--test", self.test) if self.test else None
        return model.read(source, target, validation=validation, test=test)


def _one_or_two(flag: str, names: tuple[str, ...]) -> tuple[Path, Path | None]:
    if len(names) not in (1, 2):
        example = "elman train translate pairs.tsv, or elman train translate train.de train.en"
        raise ValueError(
            f"{flag} must be one table or two aligned files; got {len(names)}; for instance: "
            f"{example}"
        )
    return Path(names[0]), Path(names[1]) if len(names) == 2 else None


def train(
    paths: tuple[Path, ...], asked: TranslateRun, given: dict[str, Any], cells: Cells
) -> None:
    """Train a new run, or go on with one."""
    if asked.threads:
        torch.set_num_threads(asked.threads)
    if asked.resume is not None:
        _resume(paths, asked, given, cells)
        return
    files, given = _with_config(paths, asked, given)
    named = given.pop("cell", "GRU")
    model = Translator(find_cell(named, cells) if isinstance(named, str) else named, **given)
    pairs = files.read(model)
    run = run_folder.new_run(asked.runs, TASK, files.files[0])
    run_folder.write_settings(run, _sections(files, pairs, model))
    _fit(run, model, pairs, resume=False)


def _sections(files: Given, pairs: Parallel, model: Translator) -> dict[str, dict[str, Any]]:
    named = {part: [str(Path(name).resolve()) for name in getattr(files, part)] for part in _PARTS}
    return {
        "data": {**named, "sha256": pairs.sha256},
        TASK: dataclasses.asdict(model.settings),
        "fit": dataclasses.asdict(budgeted(model.fit_settings)),
    }


def _with_config(
    paths: tuple[Path, ...], asked: TranslateRun, given: dict[str, Any]
) -> tuple[Given, dict[str, Any]]:
    """The files and the settings: flags first, then what --config says."""
    found: dict[str, dict[str, Any]] = {}
    if asked.config is not None:
        known = {TASK: fields(TranslateSettings), "fit": fields(FitSettings), "data": set(_DATA)}
        found = read_config(asked.config, known)
    flags = {"files": tuple(map(str, paths)), "validation": asked.validation, "test": asked.test}
    data = found.get("data", {})
    files = Given(**{part: flags[part] or tuple(data.get(part, ())) for part in _PARTS})
    return files, found.get(TASK, {}) | found.get("fit", {}) | given


def _resume(
    paths: tuple[Path, ...], asked: TranslateRun, given: dict[str, Any], cells: Cells
) -> None:
    assert asked.resume is not None
    run = asked.resume
    if asked.config or paths or asked.validation or asked.test:
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
    model = Translator(cell, **own, **empty, **sections["fit"])
    data = sections["data"]
    pairs = Given(*(tuple(data.get(part, ())) for part in _PARTS)).read(model)
    if pairs.sha256 != data["sha256"]:
        raise ValueError(
            f"{run}: a run goes on with the pairs it began with; got files that have changed "
            "since; put the old ones back, or start a new run"
        )
    run_folder.write_settings(run, sections)
    _fit(run, model, pairs, resume=True)


def _fit(run: Path, model: Translator, pairs: Parallel, *, resume: bool) -> None:
    for name, words in pairs.understood():
        say(f"  {name:<11} {words}")
    for note in pairs.notes:
        say(f"  warning     {note}")
    again = command(["train", TASK, "--resume", run])
    say()
    say(f"{'Going on with' if resume else 'Training in'} {run} (Ctrl-C stops; --resume goes on)")
    try:
        model.fit(pairs, run_dir=run, resume=resume, progress=True, say=say)
    except KeyboardInterrupt as error:
        what = str(error).split(";")[0] or "stopped"
        raise Interrupted(f"elman: {what}. Go on with:\n  {again}") from None
    write_results(run, model)
    say_results(run, model)
