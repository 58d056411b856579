"""What fitting leaves: all that forecasting and evaluating need."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from elman.data import Calendar, Names, Panel, read_panel
from elman.tasks.forecasting.checks import check_some
from elman.tasks.forecasting.evaluation import Evaluation
from elman.tasks.forecasting.memory import Memory, only, renew
from elman.tasks.forecasting.splits import Part, Shape, split
from elman.train import FitResult

Say = Callable[[str], None]


def silent(text: str) -> None:
    """Says nothing: what Python does unless asked."""


@dataclass(frozen=True)
class Fitted:
    """A trained network, the baselines beside it, and the ends of the series.

    - `names`, `has_id`, `calendar`: how the table was laid out, and forecasts are.
    - `understood`: what was understood of the table, as `Understood.as_dict` gives it.
    - `short`: names of the series that were too short to take part.
    - `result`: of the network's training; None in a model that was loaded.
    """

    shape: Shape
    names: Names
    has_id: bool
    calendar: Calendar
    model: nn.Module
    baselines: dict[str, nn.Module]
    memory: Memory
    evaluation: Evaluation
    understood: dict[str, Any]
    short: tuple[str, ...] = ()
    result: FitResult | None = None

    @staticmethod
    def of(
        panel: Panel,
        shape: Shape,
        model: nn.Module,
        baselines: dict[str, nn.Module],
        memory: Memory,
        evaluation: Evaluation,
        result: FitResult,
        short: list[str],
    ) -> "Fitted":
        """From a panel and what came of it."""
        understood = panel.understood.as_dict()
        return Fitted(
            shape,
            panel.names,
            panel.has_id,
            panel.calendar,
            model.eval(),
            {name: baseline.eval() for name, baseline in baselines.items()},
            memory,
            evaluation,
            understood,
            tuple(short),
            result,
        )

    def networks(self, name: str) -> dict[str, nn.Module]:
        """All networks by the names they have in tables; the recurrent one first, as `name`."""
        return {name: self.model} | self.baselines

    def read(self, df: Any) -> Panel:
        """A table laid out like the one that was fitted."""
        return read_panel(
            df,
            id_col=self.names.id if self.has_id else "",
            time_col=self.names.time,
            target_col=self.names.target,
            freq=self.calendar.frequency,
            season=self.shape.season,
        )

    def ends(self, df: Any, ids: list[str], say: Say) -> Memory:
        """The ends of the series: as remembered, or renewed by new rows; of some, if named."""
        memory = self.memory
        if df is not None:
            memory, notes = renew(memory, self.read(df), self.shape.window)
            for note in notes:
                say(note)
        return only(memory, ids) if ids else memory

    def parts(self, df: Any) -> list[Part]:
        """The series of a table, split as the fitted ones were; known ones on their own scale.

        Raises:
            elman.data.DataError: none is long enough.
        """
        panel = self.read(df)
        scales = dict(zip(self.memory.ids, self.memory.scales, strict=True))
        parts, _ = split(panel, self.shape)
        check_some(panel.understood.source, parts, self.shape)
        return [replace(part, scale=float(scales.get(part.id, part.scale))) for part in parts]
