"""Data that comes with the package; `files/README.md` says where it is from."""

from importlib.resources import files
from pathlib import Path

DEMO_FILES = {"forecast": "airport_temperature.csv.gz"}


def demo_file(task: str) -> Path:
    """The data file of a task's demonstration.

    Raises:
        ValueError: there is none for this task.
    """
    if task not in DEMO_FILES:
        raise ValueError(f"no demo is called {task!r}; known: {', '.join(sorted(DEMO_FILES))}")
    return Path(str(files("elman.data") / "files" / DEMO_FILES[task]))
