"""`elman data`: what is understood of a file, and the command to train on it."""

from pathlib import Path
from typing import Any

from elman.cli.console import command, result
from elman.data import Panel, read_panel


def describe(file: Path, **given: Any) -> None:
    """Print what is understood of a file, and the command to train on it.

    Args:
        given: arguments of `read_panel`; "", () and None are not given.
    """
    asked = {name: value for name, value in given.items() if value not in ("", (), None)}
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
