"""What every method came to on a text, and the verdict."""

from dataclasses import dataclass, field
from typing import Any

from elman.report.tables import Table
from elman.tasks.texts.measuring import Score

CHOSEN = "Validation chooses; the test is only reported."
FINAL = "Trained on validation too, by settings chosen before; the test is only reported."
OTHER = "Another text than it was trained on; baselines that need the training text are left out."
_SHOWN = 0.05  # per cent: less is a tie, which is no gain


@dataclass(frozen=True)
class Evaluation:
    """Scores of each method; the network's name comes first, then the baselines.

    - `validation`: what methods are compared and chosen by; empty where it was trained on.
    - `test`: reported, never used to choose.
    - `parameters`: of each method that has some: weights, or runs that were counted.
    - `unit`: "character" or "byte".
    - `note`: how it was measured.
    """

    validation: dict[str, Score]
    test: dict[str, Score]
    parameters: dict[str, int] = field(default_factory=dict)
    unit: str = "character"
    note: str = CHOSEN

    @property
    def network(self) -> str:
        """The name of the recurrent network."""
        return next(iter(self.test))

    @property
    def chosen_on(self) -> str:
        """The part that methods are compared on."""
        return "validation" if self.validation else "test"

    def scores(self, which: str) -> dict[str, Score]:
        """The scores on a part."""
        return self.validation if which == "validation" else self.test

    @property
    def best_baseline(self) -> str:
        """The baseline that is best on validation; on the test where there is no validation."""
        scores = self.scores(self.chosen_on)
        return min((n for n in scores if n != self.network), key=lambda name: scores[name].nats)

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
        size = self.parameters.get(name)
        return [*row, "-" if size is None else f"{size:,}"]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "chosen_on": self.chosen_on,
            "network": self.network,
            "methods": list(self.test),
            "best_baseline": self.best_baseline,
            "beats_best_baseline": self.beats_best_baseline,
            "unit": self.unit,
            "note": self.note,
            "validation": {name: score.as_dict() for name, score in self.validation.items()},
            "test": {name: score.as_dict() for name, score in self.test.items()},
            "parameters": self.parameters,
        }

    @staticmethod
    def from_dict(stored: dict[str, Any]) -> "Evaluation":
        """The opposite of `as_dict`."""
        order = list(map(str, stored["methods"]))
        splits = [
            {name: Score.from_dict(stored[part][name]) for name in order if stored[part]}
            for part in ("validation", "test")
        ]
        if len(splits[1]) < 2:
            raise ValueError("an evaluation without a baseline")
        parameters = {str(name): int(size) for name, size in stored["parameters"].items()}
        words = str(stored["unit"]), str(stored["note"])
        return Evaluation(splits[0], splits[1], parameters, *words)


def _better(gain: float) -> str:
    if abs(gain) < _SHOWN:
        return "as good"
    return f"{gain:.1f} % better" if gain > 0 else f"{-gain:.1f} % worse"
