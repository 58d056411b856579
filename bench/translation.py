"""A translator of Multi30k, German to English, beside what is published: BLEU on test2016.

    python bench/translation.py choose       # settings compared on validation, 4 minutes each
    python bench/translation.py multi30k     # 45 minutes of training, the test once

`choose` never reads the test. `multi30k` trains on the training file with the settings below;
validation chooses among its own evaluations, and the test of 2016 is translated once, with a beam
of 5. Each finished run is added to bench/results/translation.jsonl and not repeated on the same
commit, so that a pass can be interrupted; `--again` repeats it. The files lie in ../shared/data
beside the repository, or where `--data` says.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from forecast_runs import DATA, run_once
from timing import header

from elman.tasks.translate import Translator

MINUTES = {"choose": 4.0, "multi30k": 45.0}
SETTINGS: dict[str, Any] = {"hidden": 256, "evaluate_every": 800}
"""What differs from the defaults."""

CANDIDATES: list[dict[str, Any]] = [
    {},
    {"cell": "LSTM"},
    {"lr": 4e-3},
    {"lr": 2e-3},
    {"hidden": 384},
    {"vocabulary": 6000},
    {"layers": 2},
    {"batch_size": 32},
]
"""What `choose` tries in place of the settings, one change at a time."""

PUBLISHED = (
    "tutorial biGRU with attention 28.3; recurrent with subwords 33.5; best recurrent 38.45; "
    "tutorial Transformer 36.5"
)


def files(data: Path, part: str) -> tuple[Path, Path]:
    """The German and the English side of a part."""
    folder = data / "multi30k_task1"
    return folder / f"{part}.de.gz", folder / f"{part}.en.gz"


def fitted(data: Path, minutes: float, seed: int, test: bool, **more: Any) -> Translator:
    """A model trained for so long; without `test` that is not read."""
    given = SETTINGS | {"minutes": minutes, "seed": seed} | more
    model = Translator(**given, no_feedforward=True)
    source, target = files(data, "train")
    tested = files(data, "test_2016_flickr") if test else None
    return model.fit(source, target, validation=files(data, "val"), test=tested, progress=True)


def figures(model: Translator) -> dict[str, Any]:
    """What a run came to, on validation and where it was read on the test."""
    found = model.evaluate()
    result = model.fitted.result
    assert result is not None
    record: dict[str, Any] = {
        "parameters": found.parameters[found.network],
        "steps": result.steps,
        "best_step": result.best_step,
        "seconds": result.seconds,
    }
    for part, scores in (("validation", found.validation), ("test", found.test)):
        if scores:
            record[part] = {name: score.as_dict() for name, score in scores.items()}
    return record | {"network": found.network}


def choosing(data: Path, again: bool, minutes: float) -> None:
    """Run every candidate that is missing and print the table."""
    print("change                     BLEU, validation   steps  seconds")
    for change in CANDIDATES:
        key = {"experiment": "choose", "minutes_given": minutes, "settings": SETTINGS | change}
        one = run_once(
            key,
            lambda: figures(fitted(data, minutes, 0, False, **change)),  # noqa: B023
            again,
            "translation",
        )
        words = ", ".join(f"{k}={v}" for k, v in change.items()) or "as it is"
        bleu = one["validation"][one["network"]]["bleu"]
        print(f"{words:25s}  {bleu:16.2f}  {one['steps']:6d}  {one['seconds']:7.0f}", flush=True)


def reporting(data: Path, again: bool, minutes: float, seeds: int) -> None:
    """Run every seed that is missing and print the row, and the baselines of the first."""
    found = []
    for seed in range(seeds):
        key: dict[str, Any] = {"experiment": "multi30k", "minutes_given": minutes}
        key |= {"settings": SETTINGS, "seed": seed}
        one = run_once(
            key,
            lambda: figures(fitted(data, minutes, seed, True)),  # noqa: B023
            again,
            "translation",
        )
        found.append(one)
        print(f"seed {seed}  {_words(one, one['network'])}  {one['seconds']:5.0f} s", flush=True)
    tests = [one["test"][one["network"]] for one in found]
    means = {name: np.mean([one[name] for one in tests]) for name in ("bleu", "bleu_lower", "chrf")}
    print("mean of the test: " + ", ".join(f"{name} {value:.2f}" for name, value in means.items()))
    for name in found[0]["test"]:
        print(f"{name:12s} {_words(found[0], name)}")
    for name, words in tests[0]["signatures"].items():
        print(f"{name}: {words}")
    print(f"Beside it: {PUBLISHED}.")


def _words(one: dict[str, Any], name: str) -> str:
    test, held = one["test"][name], one["validation"][name]
    return (
        f"BLEU {test['bleu']:.2f}, lower-cased {test['bleu_lower']:.2f}, chrF {test['chrf']:.2f} "
        f"(validation {held['bleu']:.2f})"
    )


def main() -> None:
    """Run one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("table", choices=list(MINUTES))
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--minutes", type=float, help="of training, each run")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--again", action="store_true")
    given = parser.parse_args()
    print(header(), flush=True)
    minutes = given.minutes or MINUTES[given.table]
    if given.table == "choose":
        choosing(given.data, given.again, minutes)
    else:
        reporting(given.data, given.again, minutes, given.seeds)


if __name__ == "__main__":
    main()
