"""What a cross-validation came to: errors at each cutoff."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from elman.report.tables import Table
from elman.tasks.forecasting.ahead import FORECAST
from elman.tasks.forecasting.crossing import Cutoffs
from elman.tasks.forecasting.fitted import Fitted


@dataclass(frozen=True)
class Crossed:
    """Errors of the forecasts after each cutoff; cutoffs differ between series of other ends.

    - `rows`: one for each cutoff, the earliest first: its time, how many values were known, MAE,
      RMSE and the coverage of each level (0 to 1, "80").
    - `refit`: whether each cutoff had its own training.
    """

    rows: tuple[dict[str, Any], ...]
    levels: tuple[float, ...]
    refit: bool

    @staticmethod
    def of(frame: Any, fitted: Fitted, cutoffs: Cutoffs) -> "Crossed":
        """From the table that `cross_validation` gives."""
        import narwhals as nw

        table = nw.from_native(frame, eager_only=True)
        levels, names = fitted.manner.levels, table.columns
        y = table[names[names.index("cutoff") + 1]].to_numpy().astype(np.float64)
        columns = {name: table[name].to_numpy() for name in names if name.startswith(FORECAST)}
        which = _cutoff_of(table[names[0]].to_numpy(), fitted.shape.h, cutoffs.n_windows)
        times = table["cutoff"].to_list()
        rows = []
        for k in range(cutoffs.n_windows):
            here = (which == k) & ~np.isnan(y)
            if here.any():
                time = str(times[int(here.argmax())])
                rows.append({"cutoff": time, **_errors(y[here], columns, here, levels)})
        return Crossed(tuple(rows), levels, cutoffs.refit)

    def table(self) -> Table:
        """For people."""
        heads = ["cutoff", "values", "MAE", "RMSE", *(f"in {at:g} %" for at in self.levels)]
        cells = [
            [
                row["cutoff"],
                f"{row['values']:,}",
                f"{row['mae']:#.4g}",
                f"{row['rmse']:#.4g}",
                *(f"{100 * row['coverage'][f'{at:g}']:.1f}" for at in self.levels),
            ]
            for row in self.rows
        ]
        how = "before each cutoff" if self.refit else "once, before the first cutoff"
        note = f"Trained {how}. Over all series; the cutoff is that of the first."
        return Table("Cross-validation", heads, cells, note)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"refit": self.refit, "cutoffs": list(self.rows)}


def _cutoff_of(ids: Any, h: int, count: int) -> Any:
    """The number of each row's cutoff, 0 for the earliest; a short series has the last ones."""
    _, first, sizes = np.unique(ids, return_index=True, return_counts=True)
    found = np.empty(len(ids), np.int64)
    for start, size in zip(first, sizes, strict=True):
        found[start : start + size] = count - size // h + np.arange(size) // h
    return found


def _errors(
    y: Any, columns: dict[str, Any], here: Any, levels: tuple[float, ...]
) -> dict[str, Any]:
    error = y - columns[FORECAST][here]
    coverage = {}
    for at in levels:
        lower, upper = (columns[f"{FORECAST}-{side}-{at:g}"][here] for side in ("lo", "hi"))
        coverage[f"{at:g}"] = float(((lower <= y) & (y <= upper)).mean())
    mae, rmse = float(np.abs(error).mean()), float(np.sqrt((error**2).mean()))
    return {"values": int(y.size), "mae": mae, "rmse": rmse, "coverage": coverage}
