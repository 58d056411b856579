"""Recurrent networks beside those without a recurrence, on the same terms."""

from elman.compare.comparison import Comparison
from elman.compare.run import compare

__all__ = ["Comparison", "compare"]
