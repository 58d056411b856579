"""What every method came to, and the verdict."""

from dataclasses import dataclass, field
from typing import Any

from elman.report.tables import Table
from elman.tasks.translating.measuring import Score

CHOSEN = "Validation chooses; the test is only reported."
OTHER = "Other pairs than it was trained on, measured now, beside the source itself."
_SHOWN = 0.1  # BLEU: less is a tie, which is no gain


@dataclass(frozen=True)
class Evaluation:
    """Scores of each method; the network's name comes first, then the baselines.

    - `validation`: what methods are compared and chosen by; empty for other pairs.
    - `test`: reported, never used to choose; empty where there was none.
    - `parameters`: of each method that has some.
    - `pairs`: how many of each part were translated.
    - `note`: how it was measured.
    """

    validation: dict[str, Score]
    test: dict[str, Score]
    parameters: dict[str, int] = field(default_factory=dict)
    pairs: dict[str, int] = field(default_factory=dict)
    note: str = CHOSEN

    @property
    def chosen_on(self) -> str:
        """The part that methods are compared on."""
        return "validation" if self.validation else "test"

    @property
    def shown(self) -> str:
        """The part whose scores are shown first: the test, where there is one."""
        return "test" if self.test else "validation"

    def scores(self, which: str) -> dict[str, Score]:
        """The scores on a part."""
        return self.validation if which == "validation" else self.test

    @property
    def network(self) -> str:
        """The name of the recurrent network."""
        return next(iter(self.scores(self.chosen_on)))

    @property
    def best_baseline(self) -> str:
        """The baseline that is best on validation; on the test where there is no validation."""
        scores = self.scores(self.chosen_on)
        return max((n for n in scores if n != self.network), key=lambda name: scores[name].bleu)

    @property
    def beats_best_baseline(self) -> bool:
        """Whether the network is better than that, by enough to be shown."""
        return self.gain(self.chosen_on) >= _SHOWN

    def gain(self, which: str) -> float:
        """By how many BLEU the network is above the best baseline."""
        scores = self.scores(which)
        return scores[self.network].bleu - scores[self.best_baseline].bleu

    def verdict(self) -> str:
        """What the figures come to, in a sentence or two."""
        name, best, where = self.network, self.best_baseline, self.chosen_on
        tested = self.test and where == "validation"
        also = f"; on the test {_better(self.gain('test'))}" if tested else ""
        if not self.beats_best_baseline:
            return (
                f"{name} does NOT beat the best baseline, {best}, on {where} "
                f"({_better(self.gain(where))}{also}). Prefer {best} here."
            )
        reached = self.scores(self.shown)[name].bleu
        return (
            f"{name} beats the best baseline, {best}, by {self.gain(where):.1f} BLEU on {where}"
            f"{also} (BLEU {reached:.1f} on {self.shown})."
        )

    def table(self) -> Table:
        """Methods and scores, for people."""
        scores, other = self.scores(self.shown), self.validation if self.test else {}
        heads = ["method", "BLEU", "BLEU lower-cased", "chrF"]
        heads += ["BLEU on validation"] if other else []
        rows = [self._row(name, other) for name in scores]
        best = max(range(len(rows)), key=lambda k: list(scores.values())[k].bleu)
        count = self.pairs.get(self.shown, 0)
        title = f"{self.shown.capitalize()}: {count:,} pairs"
        note = f"{self.note}\n{self.signatures()}"
        marked = best if self.shown == "test" else None
        return Table(title, [*heads, "parameters"], rows, note, best=marked)

    def signatures(self) -> str:
        """sacreBLEU's signatures, a line each."""
        found = self.scores(self.shown)[self.network].signatures
        names = {"bleu": "BLEU", "bleu_lower": "lower-cased", "chrf": "chrF"}
        return "\n".join(f"{names.get(name, name)}: {words}" for name, words in found.items())

    def _row(self, name: str, other: dict[str, Score]) -> list[str]:
        one = self.scores(self.shown)[name]
        row = [name, f"{one.bleu:.2f}", f"{one.bleu_lower:.2f}", f"{one.chrf:.2f}"]
        row += [f"{other[name].bleu:.2f}"] if other else []
        size = self.parameters.get(name)
        return [*row, "-" if size is None else f"{size:,}"]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "chosen_on": self.chosen_on,
            "network": self.network,
            "methods": list(self.scores(self.chosen_on)),
            "best_baseline": self.best_baseline,
            "beats_best_baseline": self.beats_best_baseline,
            "note": self.note,
            "validation": {name: score.as_dict() for name, score in self.validation.items()},
            "test": {name: score.as_dict() for name, score in self.test.items()},
            "parameters": self.parameters,
            "pairs": self.pairs,
        }

    @staticmethod
    def from_dict(stored: dict[str, Any]) -> "Evaluation":
        """The opposite of `as_dict`."""
        order = list(map(str, stored["methods"]))
        parts = [
            {name: Score.from_dict(stored[part][name]) for name in order if stored[part]}
            for part in ("validation", "test")
        ]
        if max(map(len, parts)) < 2:
            raise ValueError("an evaluation without a baseline")
        counts = [
            {str(name): int(size) for name, size in stored[which].items()}
            for which in ("parameters", "pairs")
        ]
        return Evaluation(parts[0], parts[1], counts[0], counts[1], str(stored["note"]))


def _better(gain: float) -> str:
    if abs(gain) < _SHOWN:
        return "as good"
    return f"{gain:.1f} BLEU better" if gain > 0 else f"{-gain:.1f} BLEU worse"
