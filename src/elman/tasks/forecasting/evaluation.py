"""What every method came to: what is chosen by, what is reported, and the verdict."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from elman.report.tables import Table
from elman.tasks.evaluated import better
from elman.tasks.forecasting.metrics import Scores

if TYPE_CHECKING:
    import polars as pl


_SHOWN = 0.05  # per cent: less is a tie, which is no gain


@dataclass(frozen=True)
class Evaluation:
    """Errors of each method; the network's name comes first, then the baselines.

    - `validation`: what methods are compared and chosen by.
    - `test`: reported, never used to choose.
    - `per_series`: one dict for each series and method, on the test.
    - `series`, `windows`: how many series, and test windows of each.
    - `levels`: of the intervals, in per cent; `kind` says how the network's are made.
    """

    validation: dict[str, Scores]
    test: dict[str, Scores]
    per_series: tuple[dict[str, Any], ...]
    series: int
    windows: int
    h: int
    levels: tuple[float, ...] = ()
    kind: str = "residual"

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
        """Whether the network is better than that on validation, by enough to be shown."""
        return self.gain("validation", self.best_baseline) >= _SHOWN

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
                f"({_better(chosen)}; on the test {_better(tested)}). Prefer {best} here."
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
        heads = ["method", "MAE", "RMSE", "sMAPE %", "MASE", "OWA", "MASE on validation"]
        note = (
            "Validation chooses; the test is only reported. Below 1: MASE beats the naive step, "
            "OWA beats Naive2."
        )
        return Table(title, heads, rows, note, best=self._best_row())

    def more(self) -> Table:
        """Further errors on the test, for people."""
        heads = ["method", "MAPE %", "z-scored MSE", "z-scored MAE", "pinball"]
        rows = [
            [name, _decimals(one.mape, 1), *map(_digits, (one.zmse, one.zmae, one.pinball))]
            for name, one in self.test.items()
        ]
        note = (
            "z-scored: over the standard deviation of the training part. Pinball: of the ends of "
            f"the intervals {_listed(self.levels)}, in the unit of the values."
        )
        return Table("Further errors on the test", heads, rows, note)

    def intervals(self) -> Table:
        """Share of values within the network's intervals, beside what was asked."""
        heads = ["interval", "asked %", "on validation %", "on the test %"]
        rows = [
            [f"{self.network} {at:g}", f"{at:g}", *(self._covered(at, k) for k in range(2))]
            for at in self.levels
        ]
        kinds = {
            "residual": "the network's errors on validation",
            "head": "quantiles that the network forecasts, corrected on validation",
        }
        note = (
            f"Intervals are made from {kinds[self.kind]}. Validation is measured half by half, "
            "each by the other half."
        )
        return Table("Values within the intervals", heads, rows, note)

    def _covered(self, level: float, which: int) -> str:
        share = (self.validation, self.test)[which][self.network].coverage.get(f"{level:g}")
        return "-" if share is None else f"{100 * share:.1f}"

    def per_series_frame(self) -> "pl.DataFrame":
        """Errors on the test: a row for each series and method, a column for each error.

        Raises:
            RuntimeError: the evaluation is the one stored in a model file.
        """
        import polars as pl

        if not self.per_series:
            raise RuntimeError(
                "a model file holds the averages alone; measure again: evaluate(df) "
                "(elman evaluate RUN --data FILE)"
            )
        rows = []
        for row in self.per_series:
            flat = {name: value for name, value in row.items() if name != "coverage"}
            found = row.get("coverage", {})
            rows.append(flat | {f"coverage-{at:g}": found.get(f"{at:g}") for at in self.levels})
        return pl.DataFrame(rows, infer_schema_length=None)

    def _best_row(self) -> int:
        return min(range(len(self.test)), key=lambda k: list(self.test.values())[k].chosen_by)

    def as_dict(self, per_series: bool = True) -> dict[str, Any]:
        """For JSON."""
        found = {
            "chosen_on": "validation",
            "network": self.network,
            "methods": list(self.test),
            "best_baseline": self.best_baseline,
            "beats_best_baseline": self.beats_best_baseline,
            "series": self.series,
            "windows": self.windows,
            "h": self.h,
            "levels": list(self.levels),
            "intervals": self.kind,
            "validation": {name: scores.as_dict() for name, scores in self.validation.items()},
            "test": {name: scores.as_dict() for name, scores in self.test.items()},
        }
        return found | ({"per_series": list(self.per_series)} if per_series else {})

    @staticmethod
    def from_dict(stored: dict[str, Any]) -> "Evaluation":
        """The opposite of `as_dict`."""
        splits = (stored["validation"], stored["test"])
        order = stored.get("methods") or [stored["network"]]
        order += [name for name in splits[1] if name not in order]
        validation, test = ({name: Scores(**split[name]) for name in order} for split in splits)
        each = tuple(stored.get("per_series", ()))
        counts = (stored["series"], stored["windows"], stored["h"])
        levels, kind = tuple(stored.get("levels", ())), stored.get("intervals", "residual")
        if kind not in ("residual", "head"):
            raise ValueError(f"intervals of the kind {kind!r}")
        return Evaluation(validation, test, each, *counts, levels, kind)


def _better(gain: float) -> str:
    return better(gain, _SHOWN, " %")


def _numbers(test: Scores, validation: Scores) -> list[str]:
    ratios = [_decimals(value, 3) for value in (test.mase, test.owa, validation.mase)]
    return [_four_digits(test.mae), _four_digits(test.rmse), f"{test.smape:.1f}", *ratios]


def _decimals(value: float | None, count: int) -> str:
    return "-" if value is None else f"{value:,.{count}f}"


def _digits(value: float | None) -> str:
    return "-" if value is None else _four_digits(value)


def _listed(levels: tuple[float, ...]) -> str:
    return ", ".join(f"{at:g}" for at in levels) or "(none)"


def _four_digits(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= value < 1e9 else f"{value:#.4g}"
