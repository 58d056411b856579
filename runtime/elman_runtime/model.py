"""Models: a file's programs with the tensors and tapes that they run on (docs/programs.md).

{"format": 1, "kind": "Sequential", "settings": {...},
 "tapes": [...], "programs": {"main": {...}}, and keys of whoever stores it}
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elman_runtime import files, model_file, program, tape
from elman_runtime.contents import Array
from elman_runtime.errors import refusal, shown
from elman_runtime.program import Kind, Program, Runner
from elman_runtime.tape import Tape

FORMAT = 1
MAX_PROGRAMS = 16
MAX_TAPES = 64

_KEYS = ("format", "kind", "settings", "tapes", "programs")
_AGAIN = "store the model again with elman.save"


@dataclass(frozen=True, eq=False)
class Model:
    """What a model file holds, checked: nothing in it is ever executed.

    - `meta`: the whole JSON; `settings`, `kind` and keys of the owner are parts of it.
    - `tensors`: by name; programs name those that they need.
    - `tapes`, `programs`: of `format` 1; every program has been checked.
    - `digest`: SHA-256 (hex) of the contents, which snapshots of a stream carry.
    """

    meta: Mapping[str, Any]
    tensors: Mapping[str, Array]
    digest: str
    tapes: tuple[Tape, ...]
    programs: Mapping[str, Program]
    path: str = "model"

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the model was made with, as its owner stored it."""
        found: Mapping[str, Any] = self.meta["settings"]
        return found

    def program(self, name: str = "main") -> Program:
        """A program by name; ValueError with the names that there are."""
        if name not in self.programs:
            raise ValueError(
                f"name: {self.path} has the programs {', '.join(sorted(self.programs))}; "
                f"got {name!r}"
            )
        return self.programs[name]

    def kind(self, name: str = "main") -> Kind:
        """How far a program can be streamed."""
        return program.kind_of(self.program(name))

    def runner(self, name: str | None = None) -> Runner:
        """What runs a step program for ever; default: `step` where there is one, else `main`.

        Raises ValueError where the program is no step program.
        """
        chosen = name or ("step" if "step" in self.programs else "main")
        return program.runner(self.program(chosen), self.tensors, self.tapes)


def load(path: files.StrPath) -> Model:
    """Read a model file and check all of it.

    Raises ModelFileError where it breaks a rule, OSError where it cannot be opened.
    """
    name = str(Path(path))
    stored = model_file.read(path)
    meta = stored.meta
    _check_format(meta, name)
    tapes = _tapes(meta["tapes"], name)
    programs = _programs(meta["programs"], stored.tensors, tapes, name)
    return Model(meta, stored.tensors, stored.digest, tapes, programs, name)


def write_model(
    path: files.StrPath,
    programs: Mapping[str, Program],
    tapes: Sequence[Tape],
    tensors: Mapping[str, Array],
    kind: str,
    settings: Mapping[str, Any],
    *,
    overwrite: bool = True,
    **more: Any,
) -> str:
    """Store a model, atomically, and return its digest; `load` reads it.

    Args:
        kind: what was stored, for its owner: the name of a class or a task.
        settings, more: JSON; `more` are further keys of the file's metadata.

    Raises ModelFileError for what `load` would refuse.
    """
    name = str(Path(path))
    if "format" in more:
        raise TypeError("more: 'format' is a key of the format; call it otherwise")
    meta = {
        **more,
        "format": FORMAT,
        "kind": kind,
        "settings": dict(settings),
        "tapes": [one.to_json() for one in tapes],
        "programs": {key: one.to_json() for key, one in programs.items()},
    }
    _check_format(meta, name)
    _programs(meta["programs"], tensors, _tapes(meta["tapes"], name), name)
    return model_file.write(path, meta, tensors, overwrite=overwrite)


def _check_format(meta: Mapping[str, Any], file: str) -> None:
    found = meta.get("format")
    if type(found) is int and found == 0:
        repair = "load it with elman.load and store it again with elman.save"
        if meta.get("task") == "forecast":
            repair = "write one series with elman export RUN --series NAME --model FILE"
        elif "task" in meta:
            repair = "load it with the class of its task in elman and save it again"
        raise refusal(file, "format", f"{FORMAT}, which holds programs", "0", repair)
    if type(found) is not int or found != FORMAT:
        repair = "update elman-runtime, or " + _AGAIN
        raise refusal(file, "format", f"{FORMAT}", shown(found), repair)
    if missing := [key for key in _KEYS if key not in meta]:
        rule = f"a model has the keys {', '.join(_KEYS)}"
        raise refusal(file, "metadata", rule, f"none called {missing[0]}", _AGAIN)
    for key, kind, rule in (("kind", str, "is text"), ("settings", dict, "are an object")):
        if not isinstance(meta[key], kind):
            raise refusal(file, key, rule, shown(meta[key]), _AGAIN)


def _tapes(stored: Any, file: str) -> tuple[Tape, ...]:
    if not isinstance(stored, list) or len(stored) > MAX_TAPES:
        rule = f"a list of at most {MAX_TAPES}"
        raise refusal(file, "tapes", rule, shown(stored), _AGAIN)
    return tuple(tape.from_json(one, f"{file}: tape {k}") for k, one in enumerate(stored))


def _programs(
    stored: Any, tensors: Mapping[str, Array], tapes: tuple[Tape, ...], file: str
) -> dict[str, Program]:
    if not isinstance(stored, dict) or not 1 <= len(stored) <= MAX_PROGRAMS:
        rule = f"an object of 1 to {MAX_PROGRAMS} programs"
        raise refusal(file, "programs", rule, shown(stored), _AGAIN)
    found = {}
    for key, one in stored.items():
        if not 0 < len(key) <= program.MAX_NAME or not key.isprintable():
            rule = f"a name is 1 to {program.MAX_NAME} printable characters"
            raise refusal(file, "programs", rule, shown(key), _AGAIN)
        place = f"program {key!r}"
        read = program.from_json(one, file, place)
        found[key] = program.checked(read, tensors, tapes, file, place)
    return found
