"""A file is there whole or not at all, whatever fails."""

import errno
import os
import stat
import subprocess
import sys

import numpy as np
import pytest

from elman_runtime import files

OLD, NEW = b"old contents", b"new contents, longer"
posix = pytest.mark.skipif(os.name != "posix", reason="POSIX only")


def only(folder):
    """The names in a folder: shows a temporary file that was left."""
    return sorted(path.name for path in folder.iterdir())


def chunks(*parts, then=None):
    yield from parts
    if then is not None:
        raise then


@pytest.mark.parametrize(
    "data",
    [
        NEW,
        bytearray(NEW),
        memoryview(NEW),
        np.frombuffer(NEW, np.uint8).reshape(4, 5),
        [NEW[:3], b"", memoryview(NEW)[3:]],
        chunks(NEW[:7], np.frombuffer(NEW[7:], np.uint8)),
    ],
    ids=["bytes", "bytearray", "memoryview", "array", "list", "generator"],
)
def test_what_can_be_written(tmp_path, data):
    files.write_atomic(str(tmp_path / "a"), data)
    assert (tmp_path / "a").read_bytes() == NEW
    assert only(tmp_path) == ["a"]


def test_empty_and_replaced(tmp_path):
    path = tmp_path / "a"
    for data in (OLD, b"", NEW, []):
        files.write_atomic(path, data)
        assert path.read_bytes() == b"".join([data] if isinstance(data, bytes) else data)
    assert only(tmp_path) == ["a"]


def test_long_names_leave_room_for_the_temporary_one(tmp_path):
    name = "n" * 255
    files.write_atomic(tmp_path / name, NEW)
    assert only(tmp_path) == [name]


@pytest.mark.parametrize("data", ["text", 3, None, [1], ["text"]])
def test_what_is_not_bytes_is_a_type_error(tmp_path, data):
    with pytest.raises(TypeError):
        files.write_atomic(tmp_path / "a", data)
    assert only(tmp_path) == []


@posix
def test_the_file_and_its_folder_are_flushed_in_order(tmp_path, monkeypatch):
    done = []
    fsync, replace = os.fsync, os.replace

    def watched_fsync(descriptor):
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def watched_replace(source, target):
        done.append("replace")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    files.write_atomic(tmp_path / "a", NEW)
    assert done == ["file", "replace", "folder"]


class Kill(BaseException):
    """Stands for anything that is no Exception."""


@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize("failure", [KeyboardInterrupt, Kill, MemoryError, ZeroDivisionError])
def test_a_failure_in_the_data_leaves_nothing(tmp_path, failure, overwrite):
    with pytest.raises(failure):
        files.write_atomic(tmp_path / "a", chunks(NEW, then=failure()), overwrite=overwrite)
    assert only(tmp_path) == []


@pytest.mark.parametrize("function", ["replace", "fsync", "open", "fdopen"])
@pytest.mark.parametrize(
    "failure", [KeyboardInterrupt(), OSError(errno.ENOSPC, "x"), OSError(errno.EIO, "x")], ids=repr
)
def test_a_failing_call_keeps_the_old_file(tmp_path, monkeypatch, function, failure):
    path = tmp_path / "a"
    path.write_bytes(OLD)

    def fails(*_args, **_kwargs):
        raise failure

    with monkeypatch.context() as patch:
        patch.setattr(os, function, fails)
        with pytest.raises(type(failure)) as caught:
            files.write_atomic(path, NEW)
    assert path.read_bytes() == OLD
    assert only(tmp_path) == ["a"]
    if isinstance(failure, OSError):
        assert caught.value.errno == failure.errno
        assert f"cannot write {path}: " in str(caught.value)


def test_a_full_disk_is_named(tmp_path, monkeypatch):
    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="the disk is full; free some space"):
        files.write_atomic(tmp_path / "a", NEW)
    assert only(tmp_path) == []


LIMITED = """
import resource, sys
from elman_runtime import files
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    files.write_atomic(sys.argv[1], [b"x" * 3000] * 10)
except OSError as error:
    print(error)
"""


@posix
def test_a_write_that_stops_half_way_keeps_the_old_file(tmp_path):
    """The kernel itself refuses the second half of the data."""
    path = tmp_path / "a"
    path.write_bytes(OLD)
    command = [sys.executable, "-c", LIMITED, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"cannot write {path}: the file grew past the size limit" in done.stdout
    assert path.read_bytes() == OLD
    assert only(tmp_path) == ["a"]


@posix
def test_a_folder_that_cannot_be_flushed_is_no_failure(tmp_path, monkeypatch):
    fsync = os.fsync

    def files_only(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "x")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", files_only)
    files.write_atomic(tmp_path / "a", NEW)
    assert (tmp_path / "a").read_bytes() == NEW


def test_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"the folder .* does not exist; create it \(mkdir"):
        files.write_atomic(tmp_path / "no" / "such" / "a", NEW)


def test_a_file_where_a_folder_should_be(tmp_path):
    (tmp_path / "file").write_bytes(OLD)
    for path in (tmp_path / "file" / "a", tmp_path / "file" / "b" / "a"):
        with pytest.raises(NotADirectoryError, match=r"file is not a folder; choose another path"):
            files.write_atomic(path, NEW)


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_folder_in_the_files_place(tmp_path, overwrite):
    (tmp_path / "a").mkdir()
    with pytest.raises(IsADirectoryError, match="it is a folder; give the name of a file in it"):
        files.write_atomic(tmp_path / "a", NEW, overwrite=overwrite)
    assert only(tmp_path) == ["a"]


@posix
def test_a_device_or_fifo_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "a")
    for path in (tmp_path / "a", os.devnull):
        with pytest.raises(OSError, match="it is not a regular file"):
            files.write_atomic(path, NEW)
    assert stat.S_ISFIFO((tmp_path / "a").stat().st_mode)


def test_refused_permissions_are_explained(tmp_path, monkeypatch):
    """Simulated: chmod does not stop root."""

    def refused(*_args, **_kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(PermissionError, match=r"cannot write .*: permission was refused; change"):
        files.write_atomic(tmp_path / "a", NEW)


def test_a_read_only_file_system_is_explained(tmp_path, monkeypatch):
    def refused(*_args, **_kwargs):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(OSError, match="the file system is read-only; choose a folder"):
        files.write_atomic(tmp_path / "a", NEW)


def test_no_overwriting(tmp_path):
    path = tmp_path / "a"
    files.write_atomic(path, OLD, overwrite=False)
    with pytest.raises(FileExistsError, match="it exists; choose another name"):
        files.write_atomic(path, NEW, overwrite=False)
    assert path.read_bytes() == OLD
    assert only(tmp_path) == ["a"]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path, monkeypatch, links):
    path = tmp_path / "a"

    def no_links(*_args, **_kwargs):
        raise OSError(errno.ENOTSUP, "x")

    def racing():
        yield NEW
        path.write_bytes(OLD)

    if not links:
        monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(FileExistsError, match="it exists"):
        files.write_atomic(path, racing(), overwrite=False)
    assert path.read_bytes() == OLD
    assert only(tmp_path) == ["a"]


def test_no_overwriting_without_links(tmp_path, monkeypatch):
    def no_links(*_args, **_kwargs):
        raise OSError(errno.EPERM, "x")

    monkeypatch.setattr(os, "link", no_links)
    files.write_atomic(tmp_path / "a", NEW, overwrite=False)
    assert (tmp_path / "a").read_bytes() == NEW
    assert only(tmp_path) == ["a"]


@pytest.fixture
def umask():
    before = os.umask(0o027)
    yield 0o027
    os.umask(before)


@posix
@pytest.mark.parametrize("overwrite", [True, False])
def test_a_new_file_honours_the_umask(tmp_path, umask, overwrite):
    files.write_atomic(tmp_path / "a", NEW, overwrite=overwrite)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~umask


@posix
@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize("mode", [0o600, 0o664, 0o640, 0o444])
def test_a_replaced_file_keeps_its_permissions(tmp_path, mode):
    path = tmp_path / "a"
    path.write_bytes(OLD)
    path.chmod(mode)
    files.write_atomic(path, NEW)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert path.read_bytes() == NEW


@posix
def test_a_symbolic_link_stays_and_its_target_is_replaced(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "a").write_bytes(OLD)
    link = tmp_path / "latest"
    link.symlink_to("run/a")
    files.write_atomic(link, NEW)
    assert link.is_symlink()
    assert (tmp_path / "run" / "a").read_bytes() == NEW
    with pytest.raises(FileExistsError):
        files.write_atomic(link, OLD, overwrite=False)
    assert only(tmp_path) == ["latest", "run"]
    assert only(tmp_path / "run") == ["a"]


@posix
def test_a_link_to_nothing_creates_its_target(tmp_path):
    link = tmp_path / "link"
    link.symlink_to("target")
    files.write_atomic(link, NEW, overwrite=False)
    assert (tmp_path / "target").read_bytes() == NEW
    assert link.is_symlink()


@posix
def test_links_in_a_loop_are_refused(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="loop"):
        files.write_atomic(tmp_path / "a", NEW)
    assert (tmp_path / "a").is_symlink()


def test_a_relative_path_and_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files.write_atomic("a", NEW)
    assert only(tmp_path) == ["a"]
