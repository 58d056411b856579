"""`elman train classify`: a new run, or one that goes on."""

import dataclasses
from pathlib import Path
from typing import Any

from elman.cli import run_folder, training
from elman.cli.cell_files import find_cell
from elman.cli.classify_results import say_results, write_results
from elman.cli.console import say
from elman.tasks.classify import Classifier, ClassifySettings, budgeted
from elman.tasks.classifying.examples import Examples, check_trainable
from elman.tasks.classifying.fitted import TASK

Cells = tuple[Any, ...]
_DATA = ("file", "validation", "test", "sha256")


@dataclasses.dataclass(frozen=True)
class ClassifyRun(training.Run):
    """What a run is told beside the settings of the model and of its training.

    - `validation`: file of the examples to choose by; by default a share of FILE.
    - `test`: file of the examples to report on; by default a share of FILE.
    """

    validation: Path | None = None
    test: Path | None = None


@dataclasses.dataclass(frozen=True)
class _Given:
    """The examples of a run, and the files that they came from."""

    file: Path
    found: Examples
    validation: Examples | None
    test: Examples | None
    sources: dict[str, str]


def train(path: Path | None, asked: ClassifyRun, given: dict[str, Any], cells: Cells) -> None:
    """Train a new run, or go on with one."""
    asked.set_threads()
    if asked.resume is not None:
        _resume(path, asked, given, cells)
        return
    sources, given = _with_config(path, asked, given)
    named = given.pop("cell", "GRU")
    model = Classifier(find_cell(named, cells) if isinstance(named, str) else named, **given)
    data = _read(model, sources)
    check_trainable(data.found, model.settings.several)
    # Stored as they are used, so that a run that goes on has the same.
    model.fit_settings = budgeted(model.fit_settings, model.settings, len(data.found))
    run = run_folder.new_run(asked.runs, TASK, data.file.name)
    run_folder.write_settings(run, _sections(data, model))
    _fit(run, model, data, resume=False)


def _read(model: Classifier, sources: dict[str, str]) -> _Given:
    parts = {name: model.read(Path(file)) for name, file in sources.items()}
    digests = {"sha256": parts["file"].sha256}
    return _Given(
        Path(sources["file"]),
        parts["file"],
        parts.get("validation"),
        parts.get("test"),
        {name: str(Path(file).resolve()) for name, file in sources.items()} | digests,
    )


def _sections(data: _Given, model: Classifier) -> dict[str, dict[str, Any]]:
    return {
        "data": data.sources,
        TASK: model.settings.plain(),
        "fit": dataclasses.asdict(model.fit_settings),
    }


def _with_config(
    path: Path | None, asked: ClassifyRun, given: dict[str, Any]
) -> tuple[dict[str, str], dict[str, Any]]:
    """The files and the settings: flags first, then what --config says."""
    found = training.configured(asked.config, TASK, ClassifySettings, _DATA)
    stored = {n: v for n, v in found.get("data", {}).items() if n != "sha256"}
    flags = {"file": path, "validation": asked.validation, "test": asked.test}
    sources = stored | {name: str(file) for name, file in flags.items() if file is not None}
    if "file" not in sources:
        raise ValueError(
            "FILE must be given; got none; for instance: elman train classify reviews.csv --text "
            "review --label sentiment"
        )
    return sources, found.get(TASK, {}) | found.get("fit", {}) | given


def _resume(path: Path | None, asked: ClassifyRun, given: dict[str, Any], cells: Cells) -> None:
    assert asked.resume is not None
    run = asked.resume
    training.check_alone(asked.config, path, asked.validation, asked.test)
    sections = training.stored(run, TASK, given)
    cell = find_cell(given.pop("cell", sections[TASK]["cell"]), cells)
    sections["fit"] |= given
    model = Classifier(cell, **training.again(sections, TASK))
    data = _read(model, {n: v for n, v in sections["data"].items() if n != "sha256"})
    training.check_same(run, sections, data.found.sha256, "examples")
    run_folder.write_settings(run, sections)
    _fit(run, model, data, resume=True)


def _fit(run: Path, model: Classifier, data: _Given, *, resume: bool) -> None:
    training.say_read(data.found.understood, data.found.notes)
    with training.fitting(run, TASK, resume=resume):
        model.fit(
            data.found,
            validation=data.validation,
            test=data.test,
            run_dir=run,
            resume=resume,
            progress=True,
            say=say,
        )
    write_results(run, model)
    say_results(run, model)
