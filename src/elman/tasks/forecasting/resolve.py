"""Settings with everything that was inferred filled in: what a run records and resumes with."""

import dataclasses
from typing import Any, TypeVar

from elman.data import Panel
from elman.tasks.forecasting.splits import Shape

Settings = TypeVar("Settings", bound=Any)


def resolve(settings: Settings, panel: Panel, shape: Shape) -> Settings:
    """The same settings, with the columns, frequency and sizes that were chosen."""
    found: Settings = dataclasses.replace(
        settings,
        id_col=panel.names.id if panel.has_id else "",
        time_col=panel.names.time,
        target_col=panel.names.target,
        freq=settings.freq or panel.calendar.frequency.name,
        season=shape.season,
        window=shape.window,
        segment=shape.segment,
        validation_windows=shape.validation,
        test_windows=shape.test,
    )
    return found
