"""What a comparison came to: one table, one picture, a verdict in words."""

import dataclasses
import json
import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from elman.compare.interval import mean
from elman.compare.settings import CompareSettings
from elman.compare.trial import Contestant
from elman.report.plain import plain
from elman.report.tables import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from elman.report import Page

_HEADS = ("network", "parameters", "validation", "test", "training s", "ms a step", "MB a step")


@dataclass(frozen=True)
class Comparison:
    """Networks and baselines on one task.

    - `task`, `data`: what was compared on.
    - `metric`, `step`: what is scored, lower being better, and a step of the recurrence, in words.
    - `steps`: of the recurrence before a prediction.
    - `settings`: how it was compared.
    - `contestants`: the networks, cells first.
    - `baselines`: scores by split and name.
    - `understood`: of the data, a line each.
    """

    task: str
    data: str
    metric: str
    step: str
    steps: int
    settings: CompareSettings
    contestants: tuple[Contestant, ...]
    baselines: dict[str, dict[str, float]]
    understood: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Contestant:
        """A network by name. Raises KeyError, with the names there are."""
        for one in self.contestants:
            if one.name == name:
                return one
        names = ", ".join(one.name for one in self.contestants)
        raise KeyError(f"no network is called {name!r}; there are {names}")

    @property
    def recurrent(self) -> Contestant:
        """The cell that is best on validation."""
        return _best(one for one in self.contestants if one.recurrent)

    @property
    def worth_it(self) -> bool:
        """Whether a recurrent network is better than all others on validation, beyond chance."""
        from elman.compare.words import worth

        return worth(self)

    def verdict(self) -> str:
        """Whether a recurrent network is worth it, in a sentence or two."""
        from elman.compare.words import verdict

        return verdict(self)

    def remarks(self) -> list[str]:
        """What the curves, the costs and the seeds say, a sentence each."""
        from elman.compare.words import remarks

        return remarks(self)

    def table(self) -> Table:
        """A row for each network and baseline; the mark is for the best on the test."""
        rows = [self._row(one) for one in self.contestants]
        scores = [mean(one.test).value for one in self.contestants]
        for name, test in self.baselines["test"].items():
            validation = self.baselines["validation"].get(name, math.nan)
            rows.append([name, "-", f"{validation:.3f}", f"{test:.3f}", "-", "-", "-"])
            scores.append(test)
        best = min(range(len(scores)), key=scores.__getitem__)
        note = (
            f"{self.metric}, lower is better; ± is a 95 % interval over "
            f"{self.settings.seeds} seeds. A step is one update of the weights: forward and "
            "backward over one batch,\nand what is kept between the two."
        )
        return Table(f"{self.task}: {self.data}", list(_HEADS), rows, note, best)

    def _row(self, one: Contestant) -> list[str]:
        return [
            one.name,
            f"{one.parameters:,}",
            mean(one.validation).text(),
            mean(one.test).text(),
            f"{one.seconds:.1f}",
            f"{1e3 * one.step_seconds:.2f}",
            f"{one.step_bytes / 1e6:.2f}",
        ]

    def text(self) -> str:
        """All in words, for a terminal."""
        return "\n\n".join([self.verdict(), self.table().text(), *self.remarks()])

    def __str__(self) -> str:
        return self.text()

    def figure(self) -> "Figure":
        """The picture: quality, cost, steps seen, order shuffled."""
        from elman.compare.picture import picture

        return picture(self)

    def save_picture(self, path: str | os.PathLike[str]) -> None:
        """Draw the picture into a file; the ending says how: png, svg, pdf."""
        self.figure().savefig(path, dpi=130, facecolor="white")

    def page(self) -> "Page":
        """The HTML page."""
        from elman.compare.pages import page

        return page(self)

    def as_dict(self) -> dict[str, Any]:
        """As JSON can hold it: numbers that are not finite are None."""
        found = {
            "verdict": self.verdict(),
            "worth_it": self.worth_it,
            "remarks": self.remarks(),
            **{name: getattr(self, name) for name in ("task", "data", "metric", "step", "steps")},
            "settings": dataclasses.asdict(self.settings),
            "contestants": [dataclasses.asdict(one) for one in self.contestants],
            "baselines": self.baselines,
            "understood": list(self.understood),
        }
        held: dict[str, Any] = plain(found)
        return held

    def json(self) -> str:
        """The same as text."""
        return json.dumps(self.as_dict(), indent=1, allow_nan=False, ensure_ascii=False)


def _best(some: Any) -> Contestant:
    found: Contestant = min(some, key=lambda one: mean(one.validation).value)
    return found
