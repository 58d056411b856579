"""What every method came to on a text, and the verdict."""

from dataclasses import dataclass, field
from typing import Any

from elman.report.tables import Table
from elman.tasks import evaluated
from elman.tasks.evaluated import CHOSEN, Parts
from elman.tasks.texts.measuring import Score

FINAL = "Trained on validation too, by settings chosen before; the test is only reported."
OTHER = "Another text than it was trained on; baselines that need the training text are left out."
_SHOWN = 0.05  # per cent: less is a tie, which is no gain


@dataclass(frozen=True)
class Evaluation(Parts[Score]):
    """Scores of each method; the network's name comes first, then the baselines.

    - `validation`: what methods are compared and chosen by; empty where it was trained on.
    - `test`: reported, never used to choose.
    - `parameters`: of each method that has some: weights, or runs that were counted.
    - `unit`: "character" or "byte".
    - `note`: how it was measured.
    """

    parameters: dict[str, int] = field(default_factory=dict)
    unit: str = "character"
    note: str = CHOSEN

    @property
    def best_baseline(self) -> str:
        """The baseline that is best on validation; on the test where there is no validation."""
        others = self.others
        return min(others, key=lambda name: others[name].nats)

    @property
    def beats_best_baseline(self) -> bool:
        """Whether the network is better than that, by enough to be shown."""
        return self.gain(self.chosen_on, self.best_baseline) >= _SHOWN

    def gain(self, which: str, over: str) -> float:
        """By how many per cent the network's bits are below those of the method `over`.

        Nothing can be below a method that is certain of every token, and right: there it is 0 where
        the network is too, and -100.
        """
        scores = self.scores(which)
        own, other = scores[self.network].nats, scores[over].nats
        if not other:
            return -100.0 if own else 0.0
        return 100 * (1 - own / other)

    def verdict(self) -> str:
        """What the figures come to, in a sentence or two."""
        best, where = self.best_baseline, self.chosen_on
        gain, tested = self.gain(where, best), self.gain("test", best)
        also = f"; on the test {_better(tested)}" if where == "validation" else ""
        bits = f"{self.test[self.network].bits:.3f} bits a {self.unit} on the test"
        if not self.beats_best_baseline:
            return (
                f"{self.network} does NOT beat the best baseline, {best}, on {where} "
                f"({_better(gain)}{also}). Prefer {best} here."
            )
        on = f"on {where}" + (f"; on the test it is {_better(tested)}" if also else "")
        return f"{self.network} beats the best baseline, {best}, by {gain:.1f} % {on} ({bits})."

    def table(self) -> Table:
        """Methods and scores, for people."""
        heads = ["method", "perplexity", f"bits a {self.unit}", f"nats a {self.unit}"]
        heads += ["bits on validation"] if self.validation else []
        heads += ["parameters"]
        rows = [self._row(name) for name in self.test]
        best = min(range(len(rows)), key=lambda k: list(self.test.values())[k].nats)
        note = f"{self.note} Perplexity is per token."
        count = self.test[self.network].units
        return Table(f"Test: {count:,} {self.unit}s", heads, rows, note, best=best)

    def _row(self, name: str) -> list[str]:
        score = self.test[name]
        row = [name, f"{score.perplexity:,.3f}", f"{score.bits:.3f}", f"{score.nats:.4f}"]
        row += [f"{self.validation[name].bits:.3f}"] if self.validation else []
        return [*row, evaluated.count_cell(self.parameters, name)]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return evaluated.as_dict(self, unit=self.unit)

    @staticmethod
    def from_dict(stored: dict[str, Any]) -> "Evaluation":
        """The opposite of `as_dict`."""
        validation, test = evaluated.parts_from(stored, Score.from_dict)
        if not test:
            raise ValueError("an evaluation without a test")
        words = str(stored["unit"]), str(stored["note"])
        return Evaluation(validation, test, evaluated.counts_from(stored), *words)


def _better(gain: float) -> str:
    return evaluated.better(gain, _SHOWN, " %")
