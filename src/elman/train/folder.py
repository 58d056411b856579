"""The folder of a run: refused if it would be overwritten, locked while it is written."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":
    import fcntl

HISTORY = "history.jsonl"
CHECKPOINTS = "checkpoints"

_REPAIRS = {
    errno.ENOSPC: "the disk is full; free some space or move the run to another disk",
    errno.EDQUOT: "your quota is used up; delete files or move the run to another disk",
    errno.EFBIG: "the file grew past the size limit; raise the limit (ulimit -f unlimited)",
    errno.EROFS: "the file system is read-only; choose a folder that can be written",
    errno.EACCES: "permission was refused; choose a folder that you may write, or chmod it",
    errno.EPERM: "permission was refused; choose a folder that you may write",
    errno.ENOTDIR: "something on the way to it is a file; choose another folder",
    errno.EEXIST: "a file has its name; choose another folder",
}


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """An OSError within says what could not be written, the repair, and what is not lost."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        reason = error.strerror or os.strerror(error.errno)
        if not reason.startswith("cannot write"):
            reason = f"cannot write {path}: " + _REPAIRS.get(
                error.errno, f"{reason}; check the disk"
            )
        kept = "checkpoints already written stay; once repaired, go on from them with resume=True"
        raise OSError(error.errno, f"{reason}; {kept}") from error


def prepare(run_dir: Path, resume: bool) -> None:
    """Make the folder, or refuse one that holds a run already.

    Raises FileExistsError for an existing run unless `resume`, OSError where it cannot be made.
    """
    checkpoints = run_dir / CHECKPOINTS
    history = run_dir / HISTORY
    begun = history.is_file() and history.stat().st_size > 0
    if not resume and (begun or any(checkpoints.glob("step-*"))):
        raise FileExistsError(
            errno.EEXIST,
            f"run_dir must not hold a run already; {run_dir} does; "
            "give a new folder, or resume=True to go on with that run",
        )
    with explained(checkpoints):
        checkpoints.mkdir(parents=True, exist_ok=True)


@contextmanager
def locked(run_dir: Path) -> Iterator[None]:
    """Keep a second process from training in the same folder. The lock dies with its process.

    Raises BlockingIOError if another holds it.
    """
    path = run_dir / CHECKPOINTS / ".lock"
    with explained(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
    try:
        _lock(descriptor, run_dir)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, run_dir: Path) -> None:
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BlockingIOError(
            errno.EAGAIN,
            f"run_dir must not be in use; another process trains in {run_dir}; "
            "wait for it, or give another folder",
        ) from None
    except OSError:
        # A file system without locks: nothing is lost but this guard.
        return
