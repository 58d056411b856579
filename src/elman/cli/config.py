"""Settings from a TOML file, such as the one that a run wrote."""

import dataclasses
import difflib
import tomllib
from pathlib import Path
from typing import Any


def read_config(path: Path, sections: dict[str, set[str]]) -> dict[str, dict[str, Any]]:
    """The tables of a file, each key known.

    Args:
        path: a settings.toml, or the folder of a run with one.
        sections: the keys that each table may have.

    Raises:
        ValueError: it does not parse, or has a table or key that is not known; says the nearest.
        OSError: it cannot be read.
    """
    file = path / "settings.toml" if path.is_dir() else path
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        what = "no such file; give the settings.toml of a run"
        raise ValueError(f"--config {path}: {what}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"--config {file}: must be TOML; {error}; mend it") from None
    for name, values in found.items():
        if not isinstance(values, dict):
            raise ValueError(
                f"--config {file}: settings stand in tables ({_tables(sections)}); got "
                f"{name!r} outside of them; put the line below one"
            )
        _check(file, f"[{name}]", name, set(sections), "table")
        for key in values:
            _check(file, f"{key!r} in [{name}]", key, sections[name], "setting")
    return found


def _tables(sections: dict[str, set[str]]) -> str:
    return ", ".join(f"[{name}]" for name in sections)


def _check(file: Path, shown: str, name: str, known: set[str], kind: str) -> None:
    if name in known:
        return
    near = difflib.get_close_matches(name, sorted(known), n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"
    raise ValueError(f"--config {file}: no {kind} is called {shown}; {hint}")


def fields(settings: type[Any]) -> set[str]:
    """The keys of a dataclass."""
    return {field.name for field in dataclasses.fields(settings)}
