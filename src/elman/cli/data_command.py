"""`elman data`: what is understood of a file, and the command to train on it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elman.cli.console import command, result
from elman.data import Panel, read_panel


@dataclass(frozen=True)
class Reading:
    """Columns and the like; found where they are left out, but for covariates.

    - `id_col`: column that names the series.
    - `time_col`: column of times.
    - `target_col`: column to forecast; all: each column of numbers is a series.
    - `freq`: distance between times: 1h, 15m, 1d, 1mo.
    - `hist_exog_list`: covariates of the past, with commas.
    - `futr_exog_list`: covariates known ahead, with commas.
    - `stat_exog_list`: static covariates, with commas.
    - `static_df`: file of static covariates, a row for each series.
    """

    id_col: str = ""
    time_col: str = ""
    target_col: str = ""
    freq: str = ""
    hist_exog_list: tuple[str, ...] = ()
    futr_exog_list: tuple[str, ...] = ()
    stat_exog_list: tuple[str, ...] = ()
    static_df: Path | None = None


def describe(file: Path, how: Reading) -> None:
    """Print what is understood of a file, and the command to train on it."""
    asked = {name: value for name, value in vars(how).items() if value not in ("", (), None)}
    panel = read_panel(file, **asked)
    result("\n".join(panel.understood.lines()))
    result(f"\nTrain on it:\n  {command(_training(file, panel, asked))}")


def _training(file: Path, panel: Panel, asked: dict[str, Any]) -> list[str | Path]:
    """The words of the command: as many steps as a season has, or as are known ahead."""
    further = [one.futr.shape[0] - one.values.size for one in panel.series if one.futr.size]
    h = min(further, default=0) or (panel.season if panel.season > 1 else 12)
    words: list[str | Path] = ["train", "forecast", file, "--h", str(h)]
    for name, value in asked.items():
        flag = f"--{name.replace('_', '-')}"
        words += [flag, ",".join(value) if isinstance(value, tuple) else str(value)]
    return words
