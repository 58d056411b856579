"""What every method came to, and the verdict."""

from dataclasses import dataclass, field
from typing import Any

from elman.report.tables import Table
from elman.tasks import evaluated
from elman.tasks.evaluated import CHOSEN, Parts
from elman.tasks.translating.measuring import Score

OTHER = "Other pairs than it was trained on, measured now, beside the source itself."
_SHOWN = 0.1  # BLEU: less is a tie, which is no gain


@dataclass(frozen=True)
class Evaluation(Parts[Score]):
    """Scores of each method; the network's name comes first, then the baselines.

    - `validation`: what methods are compared and chosen by; empty for other pairs.
    - `test`: reported, never used to choose; empty where there was none.
    - `parameters`: of each method that has some.
    - `pairs`: how many of each part were translated.
    - `note`: how it was measured.
    """

    parameters: dict[str, int] = field(default_factory=dict)
    pairs: dict[str, int] = field(default_factory=dict)
    note: str = CHOSEN

    @property
    def best_baseline(self) -> str:
        """The baseline that is best on validation; on the test where there is no validation."""
        others = self.others
        return max(others, key=lambda name: others[name].bleu)

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
        reached = self.scores(self.reported)[name].bleu
        return (
            f"{name} beats the best baseline, {best}, by {self.gain(where):.1f} BLEU on {where}"
            f"{also} (BLEU {reached:.1f} on {self.reported})."
        )

    def table(self) -> Table:
        """Methods and scores, for people."""
        scores, other = self.scores(self.reported), self.validation if self.test else {}
        heads = ["method", "BLEU", "BLEU lower-cased", "chrF"]
        heads += ["BLEU on validation"] if other else []
        rows = [self._row(name, other) for name in scores]
        best = max(range(len(rows)), key=lambda k: list(scores.values())[k].bleu)
        count = self.pairs.get(self.reported, 0)
        title = f"{self.reported.capitalize()}: {count:,} pairs"
        note = f"{self.note}\n{self.signatures()}"
        marked = best if self.reported == "test" else None
        return Table(title, [*heads, "parameters"], rows, note, best=marked)

    def signatures(self) -> str:
        """sacreBLEU's signatures, a line each."""
        found = self.scores(self.reported)[self.network].signatures
        names = {"bleu": "BLEU", "bleu_lower": "lower-cased", "chrf": "chrF"}
        return "\n".join(f"{names.get(name, name)}: {words}" for name, words in found.items())

    def _row(self, name: str, other: dict[str, Score]) -> list[str]:
        one = self.scores(self.reported)[name]
        row = [name, f"{one.bleu:.2f}", f"{one.bleu_lower:.2f}", f"{one.chrf:.2f}"]
        row += [f"{other[name].bleu:.2f}"] if other else []
        return [*row, evaluated.count_cell(self.parameters, name)]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return evaluated.as_dict(self, pairs=self.pairs)

    @staticmethod
    def from_dict(stored: dict[str, Any]) -> "Evaluation":
        """The opposite of `as_dict`."""
        validation, test = evaluated.parts_from(stored, Score.from_dict)
        sizes, pairs = (evaluated.counts_from(stored, which) for which in ("parameters", "pairs"))
        return Evaluation(validation, test, sizes, pairs, str(stored["note"]))


def _better(gain: float) -> str:
    return evaluated.better(gain, _SHOWN, " BLEU")
