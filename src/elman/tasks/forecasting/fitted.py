"""What fitting leaves: all that forecasting and evaluating need."""

from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from elman.data import Calendar, Ends, Names, Panel, library_of, read_panel
from elman.data.table import as_table
from elman.tasks.forecasting.checks import check_some
from elman.tasks.forecasting.encoding import NOTHING, Encoding
from elman.tasks.forecasting.evaluation import Evaluation
from elman.tasks.forecasting.intervals import Calibration
from elman.tasks.forecasting.measuring import PLAIN, Manner
from elman.tasks.forecasting.memory import Memory, only, renew
from elman.tasks.forecasting.splits import Part, Shape, split
from elman.tasks.shared import Say, silent
from elman.train import FitResult


@dataclass(frozen=True)
class Fitted:
    """A trained network, the baselines beside it, and the ends of the series.

    - `names`, `has_id`, `calendar`: how the table was laid out, and forecasts are.
    - `understood`: what was understood of the table, as `Understood.as_dict` gives it.
    - `short`: names of the series that were too short to take part.
    - `result`: of the network's training; None in a model that was loaded.
    - `manner`, `calibration`: of the intervals; None in a model stored without.
    - `refitted`: the network trained again on all rows, which forecasts; None without `refit`.
    - `encoding`: of the covariates.
    - `notes`: what has to be known about the results, one sentence each.
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
    manner: Manner = PLAIN
    calibration: Calibration | None = None
    refitted: nn.Module | None = None
    notes: tuple[str, ...] = ()
    encoding: Encoding = NOTHING

    @staticmethod
    def of(panel: Panel, shape: Shape, model: nn.Module, **rest: Any) -> "Fitted":
        """From a panel and what came of it."""
        layout = (shape, panel.names, panel.has_id, panel.calendar)
        return Fitted(*layout, model, understood=panel.understood.as_dict(), **rest)

    @property
    def forecaster(self) -> nn.Module:
        """What forecasts: the network, or the one trained again on all rows."""
        return self.model if self.refitted is None else self.refitted

    @property
    def calibrated(self) -> Calibration:
        """How intervals are made. Raises ValueError in a model without."""
        if self.calibration is None:
            raise ValueError(
                "level needs intervals, which this model was stored without; got an older file; "
                "train it again, or give level=[]"
            )
        return self.calibration

    def answering(self, df: Any) -> "Fitted":
        """The same, whose tables are of the library of `df`.

        A file, a dict and None have none: then they are of that of the fitted table.
        """
        library = df.names.library if isinstance(df, Panel) else library_of(df)
        names = replace(self.names, library=library or self.names.library)
        return replace(self, names=names)

    def networks(self, name: str) -> dict[str, nn.Module]:
        """All networks by the names they have in tables; the recurrent one first, as `name`."""
        return {name: self.model} | self.baselines

    def read(self, df: Any, static_df: Any = None) -> Panel:
        """A table laid out like the one that was fitted.

        Static covariates may be missing from it: known series keep theirs.
        """
        lists: dict[str, Any] = dict(self.encoding.lists())
        if (
            static_df is None
            and self.encoding.static
            and not has_columns(df, lists["stat_exog_list"])
        ):
            lists["stat_exog_list"] = ()
        return read_panel(
            df,
            id_col=self.names.id if self.has_id and not self.names.wide else "",
            time_col=self.names.time,
            target_col=self.names.target,
            freq=self.calendar.frequency,
            season=self.shape.season,
            static_df=static_df,
            categories=self.encoding.tables,
            **lists,
        )

    def ends(self, df: Any, ids: list[str], say: Say, static_df: Any = None) -> Memory:
        """The ends of the series: as remembered, or renewed by new rows; of some, if named."""
        memory = self.memory
        if df is not None:
            panel = df if isinstance(df, Panel) else self.read(df, static_df)
            memory, notes = renew(memory, panel, self.shape, self.encoding)
            for note in notes:
                say(note)
        return only(memory, ids) if ids else memory

    def after(self, memory: Memory) -> Ends:
        """Where series end, for a table of what comes after."""
        futr = self.encoding.names("futr")
        layout = (self.names, self.calendar, self.has_id)
        return Ends(memory.ids, memory.last, *layout, futr, dict(self.encoding.tables))

    def after_rows(self, df: Any) -> Ends:
        """The same, after new rows; None for those of the fit."""
        return self.after(self.ends(df, [], silent))

    def parts(self, df: Any, static_df: Any = None) -> list[Part]:
        """The series of a table, split as the fitted ones were; known ones on their own scale.

        Raises:
            elman.data.DataError: none is long enough.
            ValueError: static covariates are missing.
        """
        panel = df if isinstance(df, Panel) else self.read(df, static_df)
        if self.encoding.static and not panel.stat_exog_list:
            raise ValueError("static_df must be given where the table has no static covariates")
        scales = dict(zip(self.memory.ids, self.memory.scales.tolist(), strict=True))
        parts, _ = split(panel, self.shape)
        check_some(panel.understood.source, parts, self.shape)
        series = {one.id: one for one in panel.series}
        return [
            self.encoding.of(
                replace(part, scale=float(scales.get(part.id, part.scale))), series[part.id]
            )
            for part in parts
        ]


def has_columns(df: Any, names: tuple[str, ...]) -> bool:
    """Whether a table, or the file of one, has all of the columns."""
    return set(names) <= set(as_table(df).frame.columns)
