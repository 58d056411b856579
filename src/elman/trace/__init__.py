"""Trace: a cell's `update`, run once on symbols, becomes a tape (docs/tapes.md)."""

from elman.trace.cost import Cost, cost
from elman.trace.describe import Description, describe
from elman.trace.errors import TraceError
from elman.trace.tracer import trace

__all__ = ["Cost", "Description", "TraceError", "cost", "describe", "trace"]
