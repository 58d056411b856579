"""A language model of tinyshakespeare beside what is published: nats a character on the last 10 %.

    python bench/language.py choose      # settings compared on characters 80 to 90 %
    python bench/language.py five        # 5 minutes of training on the first 90 %, the test once
    python bench/language.py thirty      # the same in 30 minutes
    python bench/language.py dynamic     # learning from the test as it goes: reported apart

`choose` trains on the first 80 % alone and never reads the test. The other tables train on the
first 90 % with the settings below. Each finished run is added to bench/results/language.jsonl and
not repeated on the same commit, so that a pass can be interrupted; `--again` repeats it. The text
lies in ../shared/data beside the repository, or where `--data` says.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from forecast_runs import DATA, run_once
from timing import header

from elman.tasks.language import LanguageModel
from elman.tasks.texts import dynamic

BUDGETS = {"five": 5.0, "thirty": 30.0}
SETTINGS: dict[str, dict[str, Any]] = {
    "five": {"hidden": 512, "length": 64, "lr": 1e-2, "dropout": 0.0},
    "thirty": {"hidden": 512, "length": 64, "lr": 6e-3, "dropout": 0.3, "weight_drop": 0.2},
}
"""Where `choose` begins; its best on validation is to be written here before the test is read."""

CANDIDATES: dict[str, list[dict[str, Any]]] = {
    "five": [
        {},
        {"hidden": 384},
        {"lr": 6e-3},
        {"dropout": 0.1},
        {"cell": "GRU"},
        {"batch_size": 16},
    ],
    "thirty": [
        {},
        {"hidden": 640},
        {"layers": 2, "hidden": 384},
        {"weight_drop": 0.0},
        {"weight_drop": 0.4},
        {"dropout": 0.4},
        {"lr": 1e-2},
    ],
}
"""What `choose` tries in place of the settings, one change at a time."""

PUBLISHED = (
    "plain torch.nn here: GRU-256 1.579 in 150 s, LSTM-384 1.556 in 280 s; nanoGPT 1.88 in 3 min"
)


def play(data: Path) -> Path:
    """The text."""
    return data / "tinyshakespeare" / "input.txt"


def fitted(data: Path, budget: str, seed: int, **more: Any) -> LanguageModel:
    """A model trained for so long."""
    given = SETTINGS[budget] | {"minutes": BUDGETS[budget], "seed": seed} | more
    return LanguageModel(**given, no_feedforward=True).fit(play(data), progress=True)


def choose(data: Path, budget: str, change: dict[str, Any]) -> dict[str, Any]:
    """Nats a character on validation."""
    model = fitted(data, budget, 0, **change)
    assert model.fitted.result is not None
    scores = model.evaluate().validation
    return {
        "validation": scores[model.evaluate().network].nats,
        "5-gram validation": scores["5-gram"].nats,
        "steps": model.fitted.result.steps,
        "best_step": model.fitted.result.best_step,
        "seconds": model.fitted.result.seconds,
    }


def report(data: Path, budget: str, seed: int, moving: bool) -> dict[str, Any]:
    """Nats a character on the test, once; with `moving`, by dynamic evaluation."""
    model = fitted(data, budget, seed, final=True)
    found = model.evaluate()
    assert model.fitted.result is not None
    record: dict[str, Any] = {
        "parameters": found.parameters[found.network],
        "steps": model.fitted.result.steps,
        "seconds": model.fitted.result.seconds,
    }
    if moving:
        return record | {"dynamic": model.evaluate_dynamic(rate=dynamic.RATE).nats}
    return record | {"test": found.test[found.network].nats, "5-gram": found.test["5-gram"].nats}


def choosing(data: Path, again: bool, budgets: list[str]) -> None:
    """Run every candidate that is missing and print the table."""
    print("budget  change                                  validation   steps  seconds")
    for budget in budgets:
        for change in CANDIDATES[budget]:
            key = {"experiment": "choose", "budget": budget, "settings": SETTINGS[budget] | change}
            one = run_once(key, lambda: choose(data, budget, change), again, "language")  # noqa: B023
            words = ", ".join(f"{k}={v}" for k, v in change.items()) or "as it is"
            figures = f"{one['validation']:10.4f}  {one['steps']:6d}  {one['seconds']:7.0f}"
            print(f"{budget:6s}  {words:38s}  {figures}", flush=True)


def reporting(data: Path, again: bool, budget: str, seeds: int, moving: bool) -> None:
    """Run every seed that is missing and print the row."""
    name = "dynamic" if moving else "test"
    found = []
    for seed in range(seeds):
        key = {"experiment": name, "budget": budget, "settings": SETTINGS[budget], "seed": seed}
        one = run_once(key, lambda: report(data, budget, seed, moving), again, "language")  # noqa: B023
        found.append(one[name])
        print(f"{budget:6s}  seed {seed}  {one[name]:.4f}  {one['seconds']:5.0f} s", flush=True)
    spread = f"{min(found):.4f} to {max(found):.4f}"
    print(f"{budget:6s}  mean    {np.mean(found):.4f}  ({spread}), {name}")
    print(f"Beside it: {PUBLISHED}.")


def main() -> None:
    """Run one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("table", choices=["choose", *BUDGETS, "dynamic"])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--budget", choices=list(BUDGETS), help="of choose and dynamic alone")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--again", action="store_true")
    given = parser.parse_args()
    print(header(), flush=True)
    budgets = [given.budget] if given.budget else list(BUDGETS)
    if given.table == "choose":
        choosing(given.data, given.again, budgets)
    elif given.table == "dynamic":
        for budget in budgets:
            reporting(given.data, given.again, budget, given.seeds, True)
    else:
        reporting(given.data, given.again, given.table, given.seeds, False)


if __name__ == "__main__":
    main()
