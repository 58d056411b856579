"""What every method came to on the examples, and the verdict."""

from dataclasses import dataclass, field
from typing import Any

from elman.report.tables import Table
from elman.tasks import evaluated
from elman.tasks.classifying.measuring import Scores
from elman.tasks.evaluated import CHOSEN, Parts

OTHER = "Other examples than it was trained on; baselines that are not stored are left out."
WORDS = {"accuracy": "accuracy", "f1": "macro F1", "auroc": "AUROC", "loss": "log loss"}
"""What metrics are called."""

_SHOWN = 0.05  # points: less is a tie, which is no gain
ALONE = " alone"
"""Ends the name of a network to whose scores those of words are added, where they are not."""


@dataclass(frozen=True)
class Evaluation(Parts[Scores]):
    """Scores of each method; the network's name comes first, then the baselines.

    - `validation`: what methods are compared and chosen by; empty for other examples.
    - `test`: reported, never used to choose; empty where no part was held back for it.
    - `metric`: that methods are compared by.
    - `parameters`: of each method that has some.
    - `note`: how it was measured.
    - `drawn`: a sentence where a baseline learnt from some of the examples alone.
    """

    metric: str = "accuracy"
    parameters: dict[str, int] = field(default_factory=dict)
    note: str = CHOSEN
    drawn: str = ""

    @property
    def others(self) -> dict[str, Scores]:
        """The scores of the baselines, on the part that methods are compared on."""
        # The network alone is a half of what is reported, and no baseline.
        return {name: one for name, one in super().others.items() if not name.endswith(ALONE)}

    @property
    def best_baseline(self) -> str:
        """The baseline that is best on validation; on the test where there is no validation."""
        others = self.others
        return max(others, key=lambda name: others[name].value(self.metric))

    @property
    def beats_best_baseline(self) -> bool:
        """Whether the network is better than that, by enough to be shown."""
        return self.gain(self.chosen_on, self.best_baseline) >= _SHOWN

    def gain(self, which: str, over: str) -> float:
        """How many points (hundredths) the network's score lies above that of the method `over`."""
        scores = self.scores(which)
        return 100 * (scores[self.network].value(self.metric) - scores[over].value(self.metric))

    def verdict(self) -> str:
        """What the figures come to, in a sentence or two."""
        best, where, what = self.best_baseline, self.chosen_on, WORDS[self.metric]
        drawn = f" {self.drawn}" if self.drawn else ""
        gain = self.gain(where, best)
        both = bool(self.validation and self.test)
        tested = _better(self.gain("test", best)) if both else ""
        if not self.beats_best_baseline:
            also = f"; on the test {tested}" if both else ""
            return (
                f"{self.network} does NOT beat the best baseline, {best}, on {where} "
                f"({what}: {_better(gain)}{also}). Prefer {best} here.{drawn}"
            )
        on = f"on {where}" + (f"; on the test it is {tested}" if both else "")
        shown = self.scores(self.reported)[self.network]
        return (
            f"{self.network} beats the best baseline, {best}, by {gain:.1f} points of {what} {on} "
            f"({_figure(shown, self.metric)} {what} on {self.reported}).{drawn}"
        )

    def table(self) -> Table:
        """Methods and scores, for people."""
        scores = self.scores(self.reported)
        heads = ["method", "accuracy %", "macro F1 %", "AUROC", "log loss", "ECE %"]
        other = self.validation if self.test else {}
        heads += ["on validation"] if other else []
        rows = [self._row(name, one, other) for name, one in scores.items()]
        values = [one.value(self.metric) for one in scores.values()]
        best = max(range(len(rows)), key=values.__getitem__) if self.test else None
        count = next(iter(scores.values())).count
        title = f"{'Test' if self.test else 'Validation'}: {count:,} examples"
        note = (
            f"{self.note} ECE: expected calibration error. {_chosen(self.metric) if other else ''}"
        )
        return Table(title, [*heads, "parameters"], rows, note.strip(), best=best)

    def _row(self, name: str, one: Scores, other: dict[str, Scores]) -> list[str]:
        row = [name, *(_figure(one, metric) for metric in ("accuracy", "f1", "auroc", "loss"))]
        row = [*(cell.removesuffix(" %") for cell in row), f"{100 * one.calibration:.1f}"]
        row += [_figure(other[name], self.metric).removesuffix(" %")] if other else []
        return [*row, evaluated.count_cell(self.parameters, name)]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        drawn = {"drawn": self.drawn} if self.drawn else {}
        return evaluated.as_dict(self, metric=self.metric, **drawn)

    @staticmethod
    def from_dict(stored: dict[str, Any]) -> "Evaluation":
        """The opposite of `as_dict`."""
        validation, test = evaluated.parts_from(stored, Scores.from_dict)
        if stored["metric"] not in WORDS:
            raise ValueError(f"a metric {stored['metric']!r}")
        words = str(stored["metric"]), evaluated.counts_from(stored), str(stored["note"])
        drawn = str(stored.get("drawn", ""))
        return Evaluation(validation, test, *words, drawn)


def _chosen(metric: str) -> str:
    return f"On validation: {WORDS[metric]}."


def _figure(one: Scores, metric: str) -> str:
    if metric in ("accuracy", "f1"):
        return f"{100 * one.value(metric):.1f} %"
    if metric == "loss":
        return f"{one.loss:.3f}"
    return "-" if one.auroc is None else f"{one.auroc:.3f}"


def _better(gain: float) -> str:
    return evaluated.better(gain, _SHOWN)
