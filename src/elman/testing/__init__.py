"""Checks of a cell or an engine, for those who write one: all that the library promises of it."""

from elman.testing import golden
from elman.testing.contract import check_cell
from elman.testing.engine_contract import check_engine
from elman.testing.golden import Golden
from elman.testing.mutant import Mutant, mutants
from elman.testing.report import CellCheckFailed, Check, Report
from elman.testing.tolerance import Difference, allowed, assert_close
from elman.testing.torch_twin import torch_golden

__all__ = [
    "CellCheckFailed",
    "Check",
    "Difference",
    "Golden",
    "Mutant",
    "Report",
    "allowed",
    "assert_close",
    "check_cell",
    "check_engine",
    "golden",
    "mutants",
    "torch_golden",
]
