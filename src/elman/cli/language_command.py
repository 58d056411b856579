"""`elman train language`: a new run, or one that goes on."""

import dataclasses
from pathlib import Path
from typing import Any

from elman.cli import run_folder, training
from elman.cli.cell_files import find_cell
from elman.cli.console import say
from elman.cli.language_results import TASK, say_results, write_results
from elman.data.corpus import Corpus, load_corpus
from elman.tasks.language import LanguageModel, LanguageSettings, budgeted

Cells = tuple[Any, ...]
_DATA = ("files", "sha256")


def train(
    paths: tuple[Path, ...], asked: training.Run, given: dict[str, Any], cells: Cells
) -> None:
    """Train a new run, or go on with one."""
    asked.set_threads()
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
    paths: tuple[Path, ...], asked: training.Run, given: dict[str, Any]
) -> tuple[tuple[Path, ...], dict[str, Any]]:
    """The files and the settings: flags first, then what --config says."""
    found = training.configured(asked.config, TASK, LanguageSettings, _DATA)
    paths = paths or tuple(map(Path, found.get("data", {}).get("files", ())))
    if not paths:
        raise ValueError(
            "FILE must be given; got none; for instance: elman train language book.txt"
        )
    return paths, found.get(TASK, {}) | found.get("fit", {}) | given


def _resume(
    paths: tuple[Path, ...], asked: training.Run, given: dict[str, Any], cells: Cells
) -> None:
    assert asked.resume is not None
    run = asked.resume
    training.check_alone(asked.config, paths)
    sections = training.stored(run, TASK, given)
    cell = find_cell(given.pop("cell", sections[TASK]["cell"]), cells)
    sections["fit"] |= given
    model = LanguageModel(cell, **training.again(sections, TASK))
    corpus = load_corpus(run)
    if corpus is None:
        corpus = model.read([Path(name) for name in sections["data"]["files"]])
    training.check_same(run, sections, corpus.sha256, "text")
    run_folder.write_settings(run, sections)
    _fit(run, model, corpus, resume=True)


def _fit(run: Path, model: LanguageModel, corpus: Corpus, *, resume: bool) -> None:
    training.say_read(corpus.understood(), corpus.notes)
    with training.fitting(run, TASK, resume=resume):
        model.fit(corpus, run_dir=run, resume=resume, progress=True, say=say)
    say("writing samples")
    written = write_results(run, model)
    say_results(run, model, written)
