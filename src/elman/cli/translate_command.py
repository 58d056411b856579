"""`elman train translate`: a new run, or one that goes on."""

import dataclasses
from pathlib import Path
from typing import Any

from elman.cli import run_folder, training
from elman.cli.cell_files import find_cell
from elman.cli.console import say
from elman.cli.translate_results import say_results, write_results
from elman.tasks.translate import TranslateSettings, Translator, budgeted
from elman.tasks.translating.fitted import TASK
from elman.tasks.translating.pairs import Parallel

Cells = tuple[Any, ...]
_PARTS = ("files", "validation", "test")
_DATA = (*_PARTS, "sha256")


@dataclasses.dataclass(frozen=True)
class TranslateRun(training.Run):
    """What a run is told beside the settings of the model and of its training.

    - `validation`: pairs to choose by: a table, or two aligned files with a comma between; held
      out of the training pairs where it is left out.
    - `test`: pairs to report on, likewise; held out only where no validation is given either.
    """

    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()


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
    asked.set_threads()
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
    found = training.configured(asked.config, TASK, TranslateSettings, _DATA)
    flags = {"files": tuple(map(str, paths)), "validation": asked.validation, "test": asked.test}
    data = found.get("data", {})
    files = Given(**{part: flags[part] or tuple(data.get(part, ())) for part in _PARTS})
    return files, found.get(TASK, {}) | found.get("fit", {}) | given


def _resume(
    paths: tuple[Path, ...], asked: TranslateRun, given: dict[str, Any], cells: Cells
) -> None:
    assert asked.resume is not None
    run = asked.resume
    training.check_alone(asked.config, paths, asked.validation, asked.test)
    sections = training.stored(run, TASK, given)
    cell = find_cell(given.pop("cell", sections[TASK]["cell"]), cells)
    sections["fit"] |= given
    model = Translator(cell, **training.again(sections, TASK))
    data = sections["data"]
    pairs = Given(*(tuple(data.get(part, ())) for part in _PARTS)).read(model)
    training.check_same(run, sections, pairs.sha256, "pairs")
    run_folder.write_settings(run, sections)
    _fit(run, model, pairs, resume=True)


def _fit(run: Path, model: Translator, pairs: Parallel, *, resume: bool) -> None:
    training.say_read(pairs.understood(), pairs.notes)
    with training.fitting(run, TASK, resume=resume):
        model.fit(pairs, run_dir=run, resume=resume, progress=True, say=say)
    write_results(run, model)
    say_results(run, model)
