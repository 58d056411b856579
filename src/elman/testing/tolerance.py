"""How far two computations of the same thing may differ: `elman.tolerance`, for users' tests."""

from elman.tolerance import ABSOLUTE, Difference, allowed, assert_close, compare

__all__ = ["ABSOLUTE", "Difference", "allowed", "assert_close", "compare"]
