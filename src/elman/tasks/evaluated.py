"""Scores of methods on the parts of the data: what the evaluations of all tasks share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

S = TypeVar("S")

CHOSEN = "Validation chooses; the test is only reported."


@dataclass(frozen=True)
class Parts(Generic[S]):
    """Scores of each method; the network's name comes first, then the baselines.

    - `validation`: what methods are compared and chosen by; empty where there was none.
    - `test`: reported, never used to choose; empty where no part was held back for it.
    """

    validation: dict[str, S]
    test: dict[str, S]

    @property
    def chosen_on(self) -> str:
        """The part that methods are compared on."""
        return "validation" if self.validation else "test"

    @property
    def reported(self) -> str:
        """The part whose scores are shown."""
        return "test" if self.test else "validation"

    def scores(self, which: str) -> dict[str, S]:
        """The scores on a part."""
        return self.validation if which == "validation" else self.test

    @property
    def network(self) -> str:
        """The name of the recurrent network."""
        return next(iter(self.scores(self.reported)))

    @property
    def others(self) -> dict[str, S]:
        """The scores of the baselines, on the part that methods are compared on."""
        scores = self.scores(self.chosen_on)
        return {name: score for name, score in scores.items() if name != self.network}


def as_dict(evaluation: Any, **more: Any) -> dict[str, Any]:
    """An evaluation for JSON: what all of them have, and more."""
    return {
        "chosen_on": evaluation.chosen_on,
        "network": evaluation.network,
        "methods": list(evaluation.scores(evaluation.reported)),
        "best_baseline": evaluation.best_baseline,
        "beats_best_baseline": evaluation.beats_best_baseline,
        "note": evaluation.note,
        "validation": {name: score.as_dict() for name, score in evaluation.validation.items()},
        "test": {name: score.as_dict() for name, score in evaluation.test.items()},
        "parameters": evaluation.parameters,
        **more,
    }


def parts_from(
    stored: dict[str, Any], score: Callable[[dict[str, Any]], S]
) -> tuple[dict[str, S], dict[str, S]]:
    """Validation and test as `as_dict` wrote them, in the order of the methods.

    Raises:
        ValueError: there is nothing to compare the network with.
    """
    order = list(map(str, stored["methods"]))
    validation, test = (
        {name: score(stored[part][name]) for name in order if stored[part]}
        for part in ("validation", "test")
    )
    if len(test or validation) < 2:
        raise ValueError("an evaluation without a baseline")
    return validation, test


def counts_from(stored: dict[str, Any], which: str = "parameters") -> dict[str, int]:
    """Counts by name, as `as_dict` wrote them."""
    return {str(name): int(count) for name, count in stored[which].items()}


def count_cell(counts: dict[str, int], name: str) -> str:
    """A count as a cell of a table; "-" where there is none."""
    return f"{counts[name]:,}" if name in counts else "-"


def better(gain: float, shown: float, unit: str = "") -> str:
    """How much better or worse, in words; `shown` is the least that is no tie."""
    if abs(gain) < shown:
        return "as good"
    return f"{abs(gain):.1f}{unit} {'better' if gain > 0 else 'worse'}"
