"""Every method on the same windows: what is chosen by, what is reported, and the verdict."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from torch import nn

from elman.report.tables import Table
from elman.tasks.forecasting.baselines import naive_forecasts
from elman.tasks.forecasting.metrics import Scores, average, scores_of
from elman.tasks.forecasting.splits import Part, Shape
from elman.tasks.forecasting.windows import Cut, cut, forecast


@dataclass(frozen=True)
class Evaluation:
    """Errors of each method; the network's name comes first, then the baselines.

    - `validation`: what methods are compared and chosen by.
    - `test`: reported, never used to choose.
    - `per_series`: one dict for each series and method, on the test.
    - `series`, `windows`: how many series, and test windows of each.
    """

    validation: dict[str, Scores]
    test: dict[str, Scores]
    per_series: tuple[dict[str, Any], ...]
    series: int
    windows: int
    h: int

    @property
    def network(self) -> str:
        """The name of the recurrent network."""
        return next(iter(self.test))

    @property
    def best_baseline(self) -> str:
        """The baseline that is best on validation."""
        baselines = [name for name in self.validation if name != self.network]
        return min(baselines, key=lambda name: self.validation[name].chosen_by)

    @property
    def beats_best_baseline(self) -> bool:
        """Whether the network is better than that on validation."""
        ours, best = self.validation[self.network], self.validation[self.best_baseline]
        return ours.chosen_by < best.chosen_by

    def gain(self, which: str, over: str) -> float:
        """By how many per cent the network's error is below that of the method `over`."""
        scores = self.validation if which == "validation" else self.test
        ours, other = scores[self.network].chosen_by, scores[over].chosen_by
        return 100 * (1 - ours / other) if other else 0.0

    def verdict(self) -> str:
        """What the figures come to, in a sentence or two."""
        best = self.best_baseline
        chosen, tested = self.gain("validation", best), self.gain("test", best)
        if not self.beats_best_baseline:
            return (
                f"{self.network} does NOT beat the best baseline, {best}, on validation "
                f"({-chosen:.1f} % worse; on the test {_better(tested)}). Prefer {best} here."
            )
        return (
            f"{self.network} beats the best baseline, {best}, by {chosen:.1f} % on validation; "
            f"on the test it is {_better(tested)}."
        )

    def table(self) -> Table:
        """Methods and errors, for people."""
        first = f"{self.series} series" if self.series != 1 else "1 series"
        each = "one after another" if self.windows != 1 else "the last"
        count = f"{self.windows} windows" if self.windows != 1 else "1 window"
        title = f"Test: {first}, {count} of {self.h} steps, {each}"
        rows = [[name, *_numbers(self.test[name], self.validation[name])] for name in self.test]
        heads = ["method", "MAE", "RMSE", "sMAPE %", "MASE", "MASE on validation"]
        note = "Validation chooses; the test is only reported. MASE below 1 beats the naive step."
        return Table(title, heads, rows, note, best=self._best_row())

    def _best_row(self) -> int:
        return min(range(len(self.test)), key=lambda k: list(self.test.values())[k].chosen_by)

    def as_dict(self, per_series: bool = True) -> dict[str, Any]:
        """For JSON."""
        found = {
            "chosen_on": "validation",
            "network": self.network,
            "best_baseline": self.best_baseline,
            "beats_best_baseline": self.beats_best_baseline,
            "series": self.series,
            "windows": self.windows,
            "h": self.h,
            "validation": {name: scores.as_dict() for name, scores in self.validation.items()},
            "test": {name: scores.as_dict() for name, scores in self.test.items()},
        }
        return found | ({"per_series": list(self.per_series)} if per_series else {})

    @staticmethod
    def from_dict(stored: dict[str, Any]) -> "Evaluation":
        """The opposite of `as_dict`."""
        splits = (stored["validation"], stored["test"])
        order = [stored["network"], *(name for name in splits[1] if name != stored["network"])]
        validation, test = ({name: Scores(**split[name]) for name in order} for split in splits)
        each = tuple(stored.get("per_series", ()))
        return Evaluation(validation, test, each, stored["series"], stored["windows"], stored["h"])


def _better(gain: float) -> str:
    if abs(gain) < 0.05:
        return "as good"
    return f"{gain:.1f} % better" if gain > 0 else f"{-gain:.1f} % worse"


def _numbers(test: Scores, validation: Scores) -> list[str]:
    mase = ["-" if value is None else f"{value:.3f}" for value in (test.mase, validation.mase)]
    return [_four_digits(test.mae), _four_digits(test.rmse), f"{test.smape:.1f}", *mase]


def _four_digits(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= value < 1e9 else f"{value:#.4g}"


def evaluate(parts: list[Part], shape: Shape, networks: dict[str, nn.Module]) -> Evaluation:
    """Errors of the networks, the recurrent one first, and of the naive forecasts."""
    validation, _ = _scores(cut(parts, shape, "validation"), shape, networks)
    test, each = _scores(cut(parts, shape, "test"), shape, networks)
    return Evaluation(validation, test, each, len(parts), shape.test, shape.h)


def forecasts(one: Cut, shape: Shape, networks: dict[str, nn.Module]) -> dict[str, Any]:
    """Forecasts (windows, h) of one series by every method."""
    scales = np.full(len(one.windows), one.part.scale)
    ours = {name: forecast(model, one.windows, scales) for name, model in networks.items()}
    return ours | naive_forecasts(one.windows, shape)


def _scores(
    cuts: list[Cut], shape: Shape, networks: dict[str, nn.Module]
) -> tuple[dict[str, Scores], tuple[dict[str, Any], ...]]:
    by_method: dict[str, list[Scores]] = {}
    rows = []
    for one in cuts:
        for name, values in forecasts(one, shape, networks).items():
            scores = scores_of(one.truth, values, one.part.naive)
            by_method.setdefault(name, []).append(scores)
            rows.append({"id": one.part.id, "method": name, **asdict(scores)})
    return {name: average(each) for name, each in by_method.items()}, tuple(rows)
