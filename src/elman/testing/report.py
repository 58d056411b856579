"""What a check of a cell or of an engine found."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from elman.testing.tolerance import Difference


class CellCheckFailed(AssertionError):
    """A cell, or an engine running it, breaks a promise; names the check and the case."""


@dataclass(frozen=True)
class Check:
    """One promise that was kept, in every case tried."""

    name: str
    compared: int
    """How many pairs of tensors were compared."""
    worst: Difference | None
    """The largest difference, in units of what was allowed; None where the check has no numbers."""
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, findings: Iterable[Difference | str]) -> "Check":
        """Sum up what a check yielded: differences, and notes in words."""
        found = list(findings)
        differences = [d for d in found if isinstance(d, Difference)]
        worst = max(differences, key=lambda d: d.ratio, default=None)
        notes = dict.fromkeys(note for note in found if isinstance(note, str))
        return cls(name, len(differences), worst, tuple(notes))


@dataclass(frozen=True)
class Report:
    """The checks that a cell or an engine passed; `print(report)` shows them as a table."""

    cell: str
    """Its name, or the engine's."""
    checks: tuple[Check, ...]

    @property
    def worst(self) -> float:
        """The largest difference / allowed over all checks."""
        return max((c.worst.ratio for c in self.checks if c.worst), default=math.nan)

    def __getitem__(self, name: str) -> Check:
        """The check of that name."""
        for check in self.checks:
            if check.name == name:
                return check
        raise KeyError(f"no check {name!r}; there are {', '.join(c.name for c in self.checks)}")

    def __str__(self) -> str:
        rows = [_row(check) for check in self.checks]
        head = ("check", "compared", "worst/allowed", "note")
        widths = [max(len(row[k]) for row in [head, *rows]) for k in range(3)]
        lines = [
            f"{row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:>{widths[2]}}  {row[3]}"
            for row in [head, *rows]
        ]
        return "\n".join([f"{self.cell}: {len(rows)} checks passed", *map(str.rstrip, lines)])


def _row(check: Check) -> tuple[str, str, str, str]:
    share = f"{check.worst.ratio:.2g}" if check.worst else "-"
    return check.name, str(check.compared or "-"), share, "; ".join(check.notes)
