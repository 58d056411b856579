"""Sentiment of sentences beside what is published: accuracy on SST-2 and MR, no pretrained vectors.

    python bench/sentiment.py choose           # settings compared on SST-2's dev part
    python bench/sentiment.py choose --phrases # the same for what is trained on phrases too
    python bench/sentiment.py sst              # 6,920 sentences; dev chooses, the test once
    python bench/sentiment.py sst --phrases    # the labelled phrases of their trees as well
    python bench/sentiment.py mr               # ten folds, in each of which a tenth chooses

`choose` never reads a test. Each finished run is added to bench/results/sentiment.jsonl and not
repeated on the same commit, so that a pass can be interrupted; `--again` repeats it. The sentences
lie in ../shared/data beside the repository, or where `--data` says.
"""

import argparse
import gzip
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from forecast_runs import DATA, run_once
from timing import header

from elman.tasks.classify import Classifier

SETTINGS: dict[str, Any] = {
    "tokens": "words+subwords",
    "metric": "loss",
    "evaluate_every": 100,
    "epochs": 10,
    "patience": 12,
}
"""Of SST-2's sentences; `choose` compares others with them on the dev part.

Its 872 sentences choose by the loss: of accuracy the best of many evaluations is a lucky one.
"""

WORDS: dict[str, Any] = SETTINGS | {"tokens": "words"}
"""Of the other rows: parts of words take several times as long, and were not compared there."""

PHRASES: dict[str, Any] = WORDS | {"evaluate_every": 250, "epochs": 2, "word_dropout": 0.2}
"""Where phrases are trained on: there are ten times as many examples."""

ROWS = {"sst": SETTINGS, "sst phrases": PHRASES, "mr": WORDS}

WITH_PHRASES: list[dict[str, Any]] = [{}, {"network_only": True}, {"metric": "accuracy"}]
"""What `choose --phrases` tries, a run of which takes longer."""

CANDIDATES: list[dict[str, Any]] = [
    {},
    {"word_dropout": 0.5},
    {"hidden": 100},
    {"embedding": 200},
    {"cell": "SRU"},
    {"lr": 1e-3},
    {"recurrent_only": True},
    {"min_count": 1},
    {"tokens": "words"},
    {"network_only": True},
    {"metric": "accuracy"},
]
"""What `choose` tries in place of the settings, one change at a time."""

PUBLISHED = {
    "sst": "a CNN from random vectors 83.5",
    "sst phrases": "an LSTM in both directions, with vectors and phrases 87.5",
    "mr": "a CNN from random vectors 75.9; with pretrained vectors 81.3",
}

Table = dict[str, list[str]]


def sentences(data: Path, part: str) -> Table:
    """SST-2's sentences of a part: train, dev or test."""
    text = (data / "sst" / f"stsa.binary.{part}").read_bytes().decode("utf-8", "replace")
    rows = [line.split(" ", 1) for line in text.splitlines()]
    return {"text": [row[1] for row in rows], "label": [row[0] for row in rows]}


def phrases(data: Path) -> Table:
    """The sentences and phrases of the training trees that are not neutral, each text once."""
    text = gzip.decompress((data / "sst" / "trees_train.txt.gz").read_bytes()).decode()
    found: dict[str, str] = {}
    for tree in text.splitlines():
        for label, words in _phrases_of(tree):
            found.setdefault(words, label)
    kept = {words: label for words, label in found.items() if label != "2"}
    return {"text": list(kept), "label": ["1" if one > "2" else "0" for one in kept.values()]}


def _phrases_of(tree: str) -> list[tuple[str, str]]:
    """The label and the words of every bracket of a tree."""
    found: list[tuple[str, str]] = []
    opened: list[tuple[str, int]] = []
    words: list[str] = []
    for label, word, closes in re.findall(r"\((\d) |([^() ]+)|(\))", tree):
        if label:
            opened.append((label, len(words)))
        elif word:
            words.append(word)
        elif closes:
            own, start = opened.pop()
            found.append((own, " ".join(words[start:]).lower()))
    return found


def polarity(data: Path) -> Table:
    """MR's 10,662 sentences."""
    table: Table = {"text": [], "label": []}
    path = data / "movie_review_sentence_polarity" / "sentence_polarity.zip"
    with zipfile.ZipFile(path) as archive:
        for name in ("neg", "pos"):
            raw = archive.read(f"sentence_polarity/rt-polarity.{name}").decode("latin-1")
            lines = [line for line in raw.split("\n") if line.strip()]
            table["text"] += lines
            table["label"] += [name] * len(lines)
    return table


def fold_of(table: Table, fold: int, folds: int = 10) -> tuple[Table, Table]:
    """What a fold trains on, and what it holds back: the same whatever else is asked for."""
    order = np.random.Generator(np.random.Philox(10)).permutation(len(table["text"]))
    held = set(order[fold::folds].tolist())
    rows = range(len(table["text"]))
    inner, outer = ([k for k in rows if (k in held) == flag] for flag in (False, True))
    return _at(table, inner), _at(table, outer)


def _at(table: Table, index: list[int]) -> Table:
    return {name: [column[k] for k in index] for name, column in table.items()}


def figures(model: Classifier) -> dict[str, Any]:
    """What a record holds: the accuracy of every method on validation and on the test."""
    found, result = model.evaluate(), model.fitted.result
    assert result is not None
    record: dict[str, Any] = {
        "validation": {name: one.accuracy for name, one in found.validation.items()},
        "test": {name: one.accuracy for name, one in found.test.items()},
    }
    own = found.scores(found.reported)[found.network]
    record |= {"calibration": own.calibration, "auroc": own.auroc}
    more = {"parameters": found.parameters, "steps": result.steps, "best_step": result.best_step}
    return record | more | {"seconds": result.seconds}


def choose(data: Path, settings: dict[str, Any], seed: int, more: bool) -> dict[str, Any]:
    """Accuracy on dev, without a look at the test."""
    model = Classifier(**settings, seed=seed, test_share=0.0, no_feedforward=True)
    return figures(model.fit(training(data, more), validation=sentences(data, "dev")))


def training(data: Path, more: bool) -> Table:
    """SST-2's sentences to train on, and their phrases if there should be more."""
    train = sentences(data, "train")
    if not more:
        return train
    own = phrases(data)
    return {name: [*column, *own[name]] for name, column in train.items()}


def sst(data: Path, settings: dict[str, Any], seed: int, more: bool) -> dict[str, Any]:
    """Trained on sentences, and on their phrases if there should be more; the test once."""
    train = training(data, more)
    parts = {"validation": sentences(data, "dev"), "test": sentences(data, "test")}
    return figures(Classifier(**settings, seed=seed).fit(train, progress=True, **parts))


def mr(data: Path, settings: dict[str, Any], fold: int) -> dict[str, Any]:
    """One of ten folds; a tenth of what it trains on chooses."""
    inner, outer = fold_of(polarity(data), fold)
    return figures(Classifier(**settings, seed=fold).fit(inner, test=outer, progress=True))


def choosing(data: Path, again: bool, seeds: int, more: bool) -> None:
    """Run every candidate that is missing and print the table."""
    print("change                          dev %   (each seed)   seconds")
    name = "choose phrases" if more else "choose"
    for change in WITH_PHRASES if more else CANDIDATES:
        settings, found = (PHRASES if more else SETTINGS) | change, []
        for seed in range(seeds):
            key = {"experiment": name, "settings": settings, "seed": seed}
            one = run_once(key, lambda: choose(data, settings, seed, more), again, "sentiment")  # noqa: B023
            found.append(next(iter(one["validation"].values())))
        words = ", ".join(f"{name}={value}" for name, value in change.items()) or "as it is"
        each = " ".join(f"{100 * value:.1f}" for value in found)
        print(
            f"{words:30s} {100 * np.mean(found):6.2f}   ({each})   {one['seconds']:.0f}", flush=True
        )


def reporting(name: str, runs: list[dict[str, Any]]) -> None:
    """Print the row: the mean accuracy of each method on the test, and its spread."""
    for method in dict.fromkeys(name for one in runs for name in one["test"]):
        # Where validation has no words added in a run, the network is one row in it, not two.
        those = [one for one in runs if method in one["test"]]
        tested = np.asarray([100 * one["test"][method] for one in those])
        chosen = np.mean([100 * one["validation"][method] for one in those])
        spread = (
            f"{len(those)} runs, {tested.min():.1f} to {tested.max():.1f}, sd {tested.std():.2f}"
        )
        print(f"{method:18s} test {tested.mean():6.2f}  ({spread})  validation {chosen:6.2f}")
    minutes = [one["minutes"] for one in runs]
    print(f"{len(runs)} runs, {np.mean(minutes):.1f} minutes each, baselines included")
    print(f"Beside it: {PUBLISHED[name]}.")


def main() -> None:
    """Run one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("table", choices=["choose", "sst", "mr"])
    parser.add_argument("--phrases", action="store_true", help="of sst and choose")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--seeds", type=int, default=5, help="of sst and choose; mr has ten folds")
    parser.add_argument("--again", action="store_true")
    given = parser.parse_args()
    print(header(), flush=True)
    if given.table == "choose":
        choosing(given.data, given.again, given.seeds, given.phrases)
        return
    row = "sst phrases" if given.phrases and given.table == "sst" else given.table
    settings, runs = ROWS[row], []
    for k in range(given.seeds if given.table == "sst" else 10):
        key = {"experiment": row, "settings": settings, "seed": k}
        if given.table == "mr":
            run = run_once(key, lambda: mr(given.data, settings, k), given.again, "sentiment")  # noqa: B023
        else:
            more = given.phrases
            run = run_once(
                key,
                lambda: sst(given.data, settings, k, more),  # noqa: B023
                given.again,
                "sentiment",
            )
        runs.append(run)
        own = next(iter(run["test"].values()))
        print(f"{row}  run {k}  {100 * own:.2f} %  {run['minutes']:.1f} minutes", flush=True)
    reporting(row, runs)


if __name__ == "__main__":
    main()
