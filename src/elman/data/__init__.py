"""Files and DataFrames to series on a regular grid, with words for what was understood."""

from elman.data.clock import Clock
from elman.data.dataframes import library_of, to_native
from elman.data.demo import DEMO_FILES, demo_file
from elman.data.errors import DataError
from elman.data.frequency import Frequency, parse_frequency
from elman.data.future import get_missing_future, make_future_dataframe, read_future
from elman.data.panel import Calendar, Ends, Names, Panel, Series, Understood
from elman.data.reading import read_panel

__all__ = [
    "DEMO_FILES",
    "Calendar",
    "Clock",
    "DataError",
    "Ends",
    "Frequency",
    "Names",
    "Panel",
    "Series",
    "Understood",
    "demo_file",
    "get_missing_future",
    "library_of",
    "make_future_dataframe",
    "parse_frequency",
    "read_future",
    "read_panel",
    "to_native",
]
