"""`elman predict` and `evaluate` for classifiers."""

import csv
import dataclasses
import io
from pathlib import Path

from elman.cli import standard_input, use
from elman.cli.console import command, result, say, write
from elman.cli.results import print_verdict
from elman.cli.use import Cells
from elman.tasks.classify import Classifier
from elman.tasks.classifying.examples import Examples, read_examples
from elman.tasks.classifying.fitted import TASK
from elman.tasks.classifying.page import confusion_table


def load(run: Path, cell: str, cells: Cells) -> Classifier:
    """The model of a run or a model file; `cell` names the user's own, if it has one."""
    return use.load(run, TASK, Classifier.load, cell, cells)


def predict(
    run: Path, file: Path | None, text: str | None, output: Path | None, cell: str, cells: Cells
) -> None:
    """Print or write the class and the probabilities of each example, as CSV.

    They are the rows of `file`, `text` alone, or the lines of standard input.
    """
    model = load(run, cell, cells)
    if file is not None and text is not None:
        raise ValueError("--text must be given without FILE; got both; leave one out")
    if file is not None:
        found = read_examples(file, model.settings, labelled=False)
    elif text is not None:
        found = _numbered(model, [text], "--text")
    else:
        found = _of_standard_input(run, model)
    for note in found.notes:
        say(f"note: {note}")
    write(_rows(model, found), output)


def _of_standard_input(run: Path, model: Classifier) -> Examples:
    """A text on each line."""
    if model.fitted.reader.lexicon is None:
        raise ValueError(
            "FILE must be given, for a classifier of numbers does not read standard input; got "
            f"none; for instance: {command(['predict', run, 'new.csv'])}"
        )
    given = list(standard_input.lines(model.settings.encoding))
    if not given:
        raise ValueError("standard input: must have a text on a line; got nothing; give some")
    return _numbered(model, given, "standard input")


def _numbered(model: Classifier, given: list[str], name: str) -> Examples:
    """Texts to judge, numbered from 1 as the lines of a file are."""
    found = read_examples(given, model.settings, labelled=False)
    numbers = tuple(str(number) for number in range(1, len(given) + 1))
    places = tuple(f"line {number}" for number in numbers)
    return dataclasses.replace(found, name=name, places=places, names=numbers)


def _rows(model: Classifier, found: Examples) -> str:
    sure = model.predict_proba(found)
    labels = model.predict(found)
    joined = model.settings.label_separator
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    what = model.settings.id or ("file" if "/" in "".join(found.names[:1]) else "row")
    rows.writerow([what, "label", *(f"p({name})" for name in model.classes_)])
    for name, label, own in zip(found.names, labels, sure.tolist(), strict=True):
        shown = label if isinstance(label, str) else joined.join(label)
        rows.writerow([name, shown, *(f"{one:.4f}" for one in own)])
    return out.getvalue()


def evaluate(run: Path, data: Path | None, cell: str, cells: Cells) -> None:
    """Print the verdict, the table of scores, and what was taken for what."""
    model = load(run, cell, cells)
    if data is None:
        say("The table stored when it was trained; --data FILE measures on other examples:")
        fitted = model.fitted
    else:
        say(f"Measured now on {data}:")
        fitted = model.measured(data)
    for note in fitted.notes:
        say(f"note: {note}")
    print_verdict(fitted.evaluation)
    if fitted.judged is not None and not model.settings.several:
        result("")
        result(confusion_table(fitted, fitted.judged).text())
