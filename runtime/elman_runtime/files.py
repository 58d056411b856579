"""Files that are there whole or not at all."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from typing_extensions import Buffer

StrPath: TypeAlias = "str | os.PathLike[str]"

_CANNOT = "cannot"
_ADVICE = {
    errno.ENOENT: ("there is no such file", "check the path"),
    errno.ENOSPC: ("the disk is full", "free some space, or choose a folder on another disk"),
    errno.EDQUOT: ("your quota is used up", "delete files, or choose a folder on another disk"),
    errno.EFBIG: ("the file grew past the size limit", "raise the limit (ulimit -f unlimited)"),
    errno.EROFS: ("the file system is read-only", "choose a folder that can be written"),
    errno.EACCES: ("permission was refused", "change it with chmod, or choose another path"),
    errno.EPERM: ("the operation is not permitted", "choose a folder of your own"),
    errno.ENAMETOOLONG: ("the name is too long", "choose a shorter one"),
    errno.ELOOP: ("the symbolic links form a loop", "remove the link, or choose another path"),
    errno.EIO: ("the device reported an error", "check the disk, or choose another"),
}
# Linking is how an existing file is refused without a race; these say it is not to be had.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
# Folders that cannot be flushed (some network file systems).
_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EBADF}


def write_atomic(
    path: StrPath, data: "Buffer | Iterable[Buffer]", *, overwrite: bool = True
) -> None:
    """Write `data` to `path` so that a reader sees the old file or the new one, never a part.

    A temporary file in the same folder is written, flushed to the disk and renamed; then the
    folder is flushed. The temporary file is removed on any failure, KeyboardInterrupt included.

    - `data`: bytes, or anything contiguous with the buffer protocol, or an iterable of such.
    - `overwrite=False` refuses an existing file with FileExistsError, also one that
      appears while this one is being written.
    - Mode: a new file gets 0o666 less the umask; a replaced file's permissions are kept.
    - A symbolic link is followed: the file it points at is replaced and the link stays.
      A link to nothing creates what it points at.

    Raises OSError (the subclass of its errno), naming the path and the repair: a missing
    folder, a folder or device in the file's place, a full disk, no permission.
    """
    path = Path(path)
    with explained(path, "write"):
        target = Path(os.path.realpath(path))
        mode = _check_target(path, target, overwrite)
        _write(path, target, data, mode, overwrite)
        _flush_folder(target.parent)


def _check_target(path: Path, target: Path, overwrite: bool) -> int | None:
    """The permissions of the file to be replaced, or None where there is none."""
    try:
        found = target.stat()
    except (FileNotFoundError, NotADirectoryError):
        if not target.parent.is_dir():
            raise _missing_folder(path, target.parent) from None
        return None
    if stat.S_ISDIR(found.st_mode):
        raise _refusal(errno.EISDIR, path, "it is a folder", "give the name of a file in it")
    if not stat.S_ISREG(found.st_mode):
        # Renaming over a device (/dev/null) would replace it for everybody.
        raise _refusal(errno.EINVAL, path, "it is not a regular file", "choose another path")
    if not overwrite:
        raise _exists(path)
    return stat.S_IMODE(found.st_mode) & 0o777


def _write(
    path: Path, target: Path, data: "Buffer | Iterable[Buffer]", mode: int | None, overwrite: bool
) -> None:
    # The name does not repeat the target's: with it, it could be too long.
    temporary = target.parent / f".elman-{os.urandom(8).hex()}.tmp"
    try:
        _fill(temporary, data, mode)
        if overwrite:
            os.replace(temporary, target)  # noqa: PTH105 - one name to replace in tests
        else:
            _place_new(path, temporary, target)
    except BaseException:
        # Where unlinking fails too, the first error is the one to report.
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _fill(temporary: Path, data: "Buffer | Iterable[Buffer]", mode: int | None) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    flags |= getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
    # Created with the mode to be kept: not for a moment may more people read it.
    descriptor = os.open(temporary, flags, 0o666 if mode is None else mode)
    with os.fdopen(descriptor, "wb") as file:
        if mode is not None and stat.S_IMODE(os.fstat(descriptor).st_mode) != mode:
            temporary.chmod(mode)  # the umask took from what the old file had
        file.writelines(_buffers(data))
        file.flush()
        os.fsync(descriptor)


def _buffers(data: "Buffer | Iterable[Buffer]") -> Iterator["Buffer"]:
    try:
        yield memoryview(data)  # type: ignore[arg-type]  # asked, not known
    except TypeError:
        if isinstance(data, str):
            raise TypeError("data must be bytes; got str; encode it with .encode()") from None
        yield from data  # type: ignore[misc]


def _place_new(path: Path, temporary: Path, target: Path) -> None:
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):
            raise _exists(path) from None
        os.replace(temporary, target)  # noqa: PTH105
    else:
        temporary.unlink()


def _flush_folder(folder: Path) -> None:
    if os.name != "posix":  # Windows can neither open a folder nor needs to.
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)


def _refusal(number: int, path: Path, reason: str, repair: str) -> OSError:
    return OSError(number, f"{_CANNOT} write {path}: {reason}; {repair}")


def _exists(path: Path) -> OSError:
    return _refusal(errno.EEXIST, path, "it exists", "choose another name, or allow overwriting")


def _missing_folder(path: Path, folder: Path) -> OSError:
    existing = next(parent for parent in (folder, *folder.parents) if os.path.lexists(parent))
    if (existing != folder and existing.is_dir()) or not existing.exists():
        repair = f"create it (mkdir -p {folder}), or choose another"
        return _refusal(errno.ENOENT, path, f"the folder {folder} does not exist", repair)
    return _refusal(errno.ENOTDIR, path, f"{existing} is not a folder", "choose another path")


@contextlib.contextmanager
def explained(path: StrPath, verb: str) -> Iterator[None]:
    """Turn errors of the operating system into "cannot VERB PATH: reason; repair"."""
    try:
        yield
    except OSError as error:
        if error.errno is None or str(error.strerror).startswith(f"{_CANNOT} {verb} "):
            raise
        what = error.strerror or os.strerror(error.errno)
        reason, repair = _ADVICE.get(error.errno, (what, "choose another path"))
        raise OSError(error.errno, f"{_CANNOT} {verb} {path}: {reason}; {repair}") from error
