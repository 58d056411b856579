"""Engines: ways of running a cell over a sequence, and the choice among them."""

from elman.engine.call import Call, Result, Weights, valid_steps
from elman.engine.explain import explain
from elman.engine.probe import output_width
from elman.engine.select import (
    ENGINES,
    EngineUnavailable,
    Explanation,
    SlowPathWarning,
    Verdict,
    checked,
    forced_engine,
    run,
    select_engine,
    torch_first,
    use,
)

__all__ = [
    "ENGINES",
    "Call",
    "EngineUnavailable",
    "Explanation",
    "Result",
    "SlowPathWarning",
    "Verdict",
    "Weights",
    "checked",
    "explain",
    "forced_engine",
    "output_width",
    "run",
    "select_engine",
    "torch_first",
    "use",
    "valid_steps",
]
