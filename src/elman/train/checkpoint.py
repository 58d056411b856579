"""Checkpoints: one safetensors file each, written whole, verified when read, no pickle."""

import errno
import re
import warnings
from pathlib import Path
from typing import Any

import torch

from elman.train.folder import CHECKPOINTS, explained
from elman.train.tree import Arrays, Tree, decode, encode
from elman_runtime import ModelFileError, model_file

_NAME = re.compile(r"step-(\d{8,})\.safetensors")
_FORMAT = 1


def write(run_dir: Path, step: int, state: Tree) -> Path:
    """Store `state` as the checkpoint of step `step`, whole or not at all.

    Raises OSError naming the folder and the repair; older checkpoints are not touched.
    """
    path = run_dir / CHECKPOINTS / f"step-{step:08d}.safetensors"
    structure, arrays = encode(state, "run")
    meta: dict[str, Any] = {"format": _FORMAT, "kind": "checkpoint", "step": step}
    meta["state"] = structure
    # Within the file, so that a flipped bit shows: the file alone says what it should hold.
    meta["digest"] = model_file.digest(meta, arrays)
    with explained(path):
        # A carried state may hold an infinity on purpose.
        model_file.write(path, meta, arrays, finite=False)
    return path


def read(path: Path, device: torch.device | str = "cpu") -> Tree:
    """The state stored in `path`, verified.

    Raises ValueError for a damaged file or another kind of file, OSError where it cannot be read.
    """
    stored = model_file.read(path, finite=False)
    meta = dict(stored.meta)
    if meta.get("kind") != "checkpoint" or meta.get("format") != _FORMAT:
        raise ModelFileError(f"{path}: must be a checkpoint of format {_FORMAT}; it is not one")
    digest = meta.pop("digest", None)
    _verify(path, digest, meta, stored.tensors)
    try:
        return decode(meta["state"], stored.tensors, device)
    except (KeyError, TypeError) as error:
        raise ModelFileError(f"{path}: must hold a tree as `encode` writes it: {error}") from error


def _verify(path: Path, digest: object, meta: dict[str, Any], arrays: Arrays) -> None:
    if digest != model_file.digest(meta, arrays):
        raise ModelFileError(f"{path}: must hold what its digest says; it was changed or damaged")


def found(run_dir: Path) -> list[Path]:
    """The checkpoints of a run, oldest first."""
    named = [(_NAME.fullmatch(p.name), p) for p in (run_dir / CHECKPOINTS).glob("step-*")]
    return [p for _, p in sorted((int(match[1]), p) for match, p in named if match)]


def load_newest(run_dir: Path, device: torch.device | str = "cpu") -> Tree | None:
    """The state of the newest checkpoint that verifies; None if there is no checkpoint.

    A damaged one is named in a warning, set aside (its name gets `.damaged`) and the one before it
    is used. Raises ValueError if there are checkpoints and all are damaged: nothing is set aside.
    """
    damaged: list[tuple[Path, Exception]] = []
    for path in reversed(found(run_dir)):
        try:
            state = read(path, device)
        except (ValueError, OSError) as error:
            if isinstance(error, OSError) and error.errno != errno.EIO:
                raise
            damaged.append((path, error))
        else:
            _set_aside(damaged, path)
            return state
    if damaged:
        listed = "; ".join(str(error) for _, error in damaged)
        raise ValueError(
            f"resume needs one checkpoint that verifies; none in {run_dir / CHECKPOINTS} does "
            f"({listed}); restore the folder from a copy, or start a new run"
        )
    return None


def _set_aside(damaged: list[tuple[Path, Exception]], used: Path) -> None:
    # They are newer than what is written next: left in place, they would be kept instead of it.
    for path, error in damaged:
        path.replace(path.with_name(path.name + ".damaged"))
        warnings.warn(
            f"damaged checkpoint: {error}; going on from {used}; the damaged file was renamed to "
            f"{path.name}.damaged",
            UserWarning,
            stacklevel=2,
        )


def tidy(run_dir: Path, keep: int) -> None:
    """Delete all but the newest `keep` checkpoints, and what a killed write has left."""
    for path in found(run_dir)[:-keep]:
        path.unlink(missing_ok=True)
    for path in (run_dir / CHECKPOINTS).glob(".elman-*.tmp"):
        path.unlink(missing_ok=True)
