"""Folders of runs: made, never reused, and read again."""

import re
import tomllib
from pathlib import Path
from typing import Any

from elman_runtime import files

MODEL, SETTINGS, METRICS, REPORT = (
    "model.safetensors",
    "settings.toml",
    "metrics.json",
    "report.html",
)
_MOST = 100_000


def new_run(root: Path, task: str, data: str) -> Path:
    """Make `root/<task>-<data>-<nnn>`, the next number that is free.

    Making a folder is atomic, so two runs that start at once get different numbers.

    Raises:
        OSError: the folder cannot be made.
    """
    name = f"{task}-{slug(data)}"
    root.mkdir(parents=True, exist_ok=True)
    taken = [_number(path.name, name) for path in root.glob(f"{name}-*")]
    for number in range(max(taken, default=0) + 1, _MOST):
        folder = root / f"{name}-{number:03d}"
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise OSError(f"{root}: no number is free for {name}; move old runs away")


def _number(folder: str, name: str) -> int:
    end = folder.removeprefix(f"{name}-")
    return int(end) if end.isdecimal() else 0


def slug(name: str) -> str:
    """A file's name as part of a folder's: without endings, letters, digits and underscores."""
    stem = re.sub(r"(\.\w{1,7}){1,2}$", "", Path(name).name)
    return re.sub(r"[^A-Za-z0-9]+", "_", stem).strip("_").lower()[:40] or "data"


def write_settings(run: Path, sections: dict[str, dict[str, Any]]) -> str:
    """Write settings.toml; returns the text."""
    text = to_toml(sections)
    files.write_atomic(run / SETTINGS, text.encode())
    return text


def read_settings(run: Path) -> dict[str, Any]:
    """Read settings.toml.

    Raises:
        ValueError: the folder is not a run, or the file does not parse.
    """
    path = run / SETTINGS
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(
            f"{run}: a run is a folder with {SETTINGS}; got none; give a folder such as "
            "runs/forecast-sales-001"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: must be TOML; {error}; mend it or start a new run") from None


def to_toml(sections: dict[str, dict[str, Any]]) -> str:
    """Tables of plain values; None is left out, for TOML has no word for it."""
    parts = []
    for name, values in sections.items():
        rows = [f"{key} = {_value(v)}" for key, v in values.items() if v is not None]
        parts.append("\n".join([f"[{name}]", *rows]))
    return "\n\n".join(parts) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda m: f"\\u{ord(m[0]):04x}", text) + '"'
