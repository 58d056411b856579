"""Nothing in a file is trusted: each rule has a file that breaks it."""

import io
import json
import os
import pickle
import struct
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman_runtime import model_file
from elman_runtime.model_file import ModelFileError

METADATA = {"__metadata__": {"elman": "{}"}}
HUGE = 10**400


def row(dtype="F32", shape=(2,), offsets=(0, 8), **more):
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets, **more}


def raw(header, data=b"", length=None):
    """The bytes of a file, right or wrong."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensors(data=b"\0" * 8, **rows):
    return raw({**METADATA, **rows}, data)


def metadata(value):
    return raw({"__metadata__": value})


def zipped():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", b"x" * 100)
    return file.getvalue()


HOSTILE = {
    "empty": (b"", "start: 8 bytes of header length; got 0 bytes in all"),
    "short": (b"\2\0\0", "got 3 bytes in all"),
    "no header": (struct.pack("<Q", 2), "ends within the file of 8"),
    "header past the end": (raw(b"{}", length=3), "got a length of 3"),
    "header of 2**64": (raw(b"{}", length=2**64 - 1), "at most 16777216 bytes"),
    "header over 16 MiB": (raw(b"{}" + b" " * (16 << 20)), "at most 16777216 bytes"),
    "header of nothing": (raw(b"", b"x" * 9), "header: starts with {; got b''"),
    "header is a list": (raw(b"[]"), "header: starts with {"),
    "space first": (raw(b" {}"), "header: starts with {"),
    "not UTF-8": (raw(b'{"\xff": 1}'), "header: must be UTF-8"),
    "not JSON": (raw(b"{nonsense"), "header: must be JSON"),
    "duplicate tensor": (raw(b'{"a": 1, "a": 2}'), "keys are unique; got 'a' twice"),
    "deep": (raw(b'{"a":' * 100_000), "header: at most 64 levels"),
    "deep in the metadata": (metadata({"elman": "[" * 100_000}), "at most 64 levels"),
    "no metadata": (raw({"a": row()}, b"\0" * 8), "one key, 'elman', holding text; got []"),
    "metadata is null": (metadata(None), "__metadata__: one key"),
    "metadata is a list": (metadata(["elman"]), "__metadata__: one key"),
    "another key": (metadata({"elman": "{}", "format": "pt"}), "got ['elman', 'format']"),
    "metadata is no text": (metadata({"elman": {}}), "holding text"),
    "settings are no JSON": (metadata({"elman": "x"}), "metadata 'elman': must be JSON"),
    "settings are a list": (metadata({"elman": "[]"}), "metadata 'elman': a JSON object"),
    "duplicate setting": (metadata({"elman": '{"a": 1, "a": 1}'}), "keys are unique"),
    "NaN setting": (metadata({"elman": '{"a": NaN}'}), "numbers are finite"),
    "infinite setting": (metadata({"elman": '{"a": 1e999}'}), "numbers fit in 64 bits"),
    "half a character": (metadata({"elman": '{"a": "\\ud800"}'}), "must be JSON"),
    "half a character in the header": (metadata({"elman": '"\ud800"'}), "header: must be JSON"),
    "entry is a list": (tensors(a=[]), "tensor 'a': an entry has dtype, shape and data_offsets"),
    "entry lacks a key": (tensors(a={"dtype": "F32"}), "an entry has dtype"),
    "entry has one more": (tensors(a=row(more=1)), "nothing else"),
    "BF16": (tensors(a=row("BF16", (4,))), "got BF16, which is unsupported; convert it to F32"),
    "unknown dtype": (tensors(a=row("F8_E4M3")), "a dtype is one of F64, F32"),
    "dtype is a number": (tensors(a=row(32)), "a dtype is one of"),
    "dtype is a list": (tensors(a=row(["F32"])), "a dtype is one of"),
    "negative size": (tensors(a=row(shape=(-2,))), "a shape is a list"),
    "size is a float": (tensors(a=row(shape=(2.0,))), "a shape is a list"),
    "size is true": (tensors(a=row(shape=(True, 2))), "a shape is a list"),
    "size is text": (tensors(a=row(shape=("2",))), "a shape is a list"),
    "shape is a number": (tensors(a=row(shape=2)), "a shape is a list"),
    "too many axes": (tensors(a=row(shape=(1,) * 33)), "at most 32 integers"),
    "huge size": (tensors(a=row(shape=(HUGE,))), "a shape fits in 64 bits"),
    "huge product": (tensors(a=row(shape=(2**40, 2**40))), "a shape fits in 64 bits"),
    "product wraps to 8": (tensors(a=row(shape=(2**62 + 1, 2**2))), "a shape fits in 64 bits"),
    "huge beside zero": (
        tensors(b"", a=row(shape=(0, 2**62, 2**62), offsets=(0, 0))),
        "a shape fits in 64 bits",
    ),
    "more than the file": (tensors(a=row(shape=(2**40,), offsets=(0, 2**42))), "is cut short"),
    "offsets backwards": (tensors(a=row(offsets=(8, 0))), "0 <= begin <= end"),
    "offsets negative": (tensors(a=row(offsets=(-8, 0))), "0 <= begin <= end"),
    "three offsets": (tensors(a=row(offsets=(0, 8, 8))), "data_offsets are two integers"),
    "offsets are floats": (tensors(a=row(offsets=(0.0, 8.0))), "data_offsets are two integers"),
    "huge offsets": (tensors(a=row(offsets=(HUGE, HUGE + 8))), "a gap"),
    "huge extent": (tensors(a=row(offsets=(0, HUGE))), "takes 8 bytes"),
    "shape against bytes": (tensors(a=row(shape=(3,))), "F32 of shape (3,) takes 12 bytes; got 8"),
    "overlap": (tensors(a=row(), b=row(offsets=(4, 12))), "tensor 'b': tensors follow each other"),
    "twice the same bytes": (tensors(a=row(), b=row()), "an overlap: begin 0 where 8 was due"),
    "gap": (tensors(b"\0" * 20, a=row(), b=row(offsets=(12, 20))), "a gap: begin 12 where 8"),
    "gap at the start": (tensors(b"\0" * 12, a=row(offsets=(4, 12))), "a gap"),
    "empty one past the end": (tensors(a=row(), b=row(shape=(0,), offsets=(9, 9))), "a gap"),
    "bytes left over": (tensors(b"\0" * 9, a=row()), "has bytes that no tensor owns"),
    "data and no tensor": (tensors(b"x"), "data: the tensors take 0 bytes; got 1"),
    "cut short": (tensors(b"\0" * 7, a=row()), "the tensors take 8 bytes; got 7"),
    "long name": (tensors(**{"n" * 513: row()}), "a name is 1 to 512 bytes"),
    "nameless": (tensors(**{"": row()}), "a name is 1 to 512 bytes"),
    "name of control characters": (tensors(**{"a\x1b[2J": row()}), "got 'a\\x1b[2J'"),
    "NaN": (tensors(struct.pack("<ff", 1, np.nan), a=row()), "values are finite; got nan at (1,)"),
    "neither true nor false": (tensors(b"\0\1\2", a=row("BOOL", (3,), (0, 3))), "got 2 at 2"),
    "pickle": (pickle.dumps({"w": [1.5] * 20}, protocol=2), "a pickle, as torch.save"),
    "newer pickle": (pickle.dumps({"w": [1.5] * 20}, protocol=4), "a pickle, as torch.save"),
    "zip": (zipped(), "a zip archive, as torch.save writes it; load it with torch.load"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + b"\0" * 90, "an HDF5 file, as Keras"),
    "npy": (b"\x93NUMPY\x01\x00" + b"\0" * 90, "numpy.load"),
    "GGUF": (b"GGUF\3\0\0\0\1" + b"\0" * 90, "GGUF"),
    "LFS pointer": (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    "error page": (b"<!DOCTYPE html><html></html>", "an HTML or XML page; download"),
    "bare JSON": (b'{"settings": {}}', "a JSON text"),
    "tar": (b"data.tar".ljust(257, b"x") + b"ustar" + b"\0" * 250, "a tar archive"),
    "text": (b"just some text, nothing else", "ends within the file of 28"),
}


@pytest.mark.parametrize(("contents", "words"), HOSTILE.values(), ids=HOSTILE.keys())
def test_refused(tmp_path, contents, words):
    path = tmp_path / "model.safetensors"
    path.write_bytes(contents)
    with pytest.raises(ModelFileError) as caught:
        model_file.read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert words in message
    assert message.count("; ") >= 2  # the rule; what came; the repair
    assert len(message) < 600
    assert message.isprintable()


def test_zeros_are_no_model(tmp_path):
    """A disk that filled up: length 0, and no header."""
    (tmp_path / "a").write_bytes(b"\0" * 100)
    with pytest.raises(ModelFileError, match=r"header: starts with \{"):
        model_file.read(tmp_path / "a")


def test_a_sparse_file_of_a_terabyte_allocates_nothing(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(tensors(b"", a=row(shape=(2**38 + 1,), offsets=(0, 2**40 + 4))))
    os.truncate(path, 2**40)
    with pytest.raises(ModelFileError, match="is cut short"):
        model_file.read(path)


def test_a_file_that_shrinks_while_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "a"
    model_file.write(path, {}, {"w": np.zeros(100_000)})
    read_header = model_file._read_header

    def then_truncated(*args):
        header = read_header(*args)
        os.truncate(path, 5000)
        return header

    monkeypatch.setattr(model_file, "_read_header", then_truncated)
    with pytest.raises(ModelFileError, match="it shrank while it was read"):
        model_file.read(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"cannot read .*no: there is no such file; check"):
        model_file.read(tmp_path / "no")


def test_a_folder(tmp_path):
    with pytest.raises(ModelFileError, match=r"got a folder; .* \(model.safetensors in it\?\)"):
        model_file.read(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="POSIX only")
@pytest.mark.parametrize("reader", [model_file.read, model_file.describe])
def test_a_fifo_or_device_is_refused_without_blocking(tmp_path, reader):
    os.mkfifo(tmp_path / "fifo")  # without a writer, opening it would wait for ever
    with pytest.raises(ModelFileError, match="a model is a regular file; got a FIFO"):
        reader(tmp_path / "fifo")
    for device in ("/dev/zero", "/dev/null"):
        with pytest.raises(ModelFileError, match="got a device"):
            reader(device)


@pytest.mark.skipif(os.name != "posix", reason="POSIX only")
def test_a_fifo_that_replaces_the_file_meanwhile(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_bytes(b"")
    check = model_file._check_regular

    def exchanged(mode, name):
        check(mode, name)
        path.unlink()
        os.mkfifo(path)

    monkeypatch.setattr(model_file, "_check_regular", exchanged)
    with pytest.raises(ModelFileError, match="got a FIFO"):
        model_file.read(path)


VALID = tensors(struct.pack("<ff??", 1.5, -2.0, True, False), a=row(), b=row("BOOL", (2,), (8, 10)))


@settings(derandomize=True, deadline=None, max_examples=400)
@given(st.data())
def test_a_damaged_file_is_a_model_or_one_error(data):
    """Any cut, insertion and exchange of bytes: no other exception, no wrong tensor."""
    contents = bytearray(VALID)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(contents)))
        end = data.draw(st.integers(at, min(len(contents), at + 4)))
        contents[at:end] = data.draw(st.binary(max_size=4))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        path.write_bytes(contents)
        try:
            found = model_file.read(path)
        except ModelFileError:
            return
    for array in found.tensors.values():
        assert array.dtype.kind in "fbiu"
        assert np.isfinite(array).all()


@settings(derandomize=True, deadline=None, max_examples=300)
@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "__metadata__", ""]),
        st.fixed_dictionaries(
            {
                "dtype": st.sampled_from(["F32", "I8", "BOOL", "BF16", None, 3]),
                "shape": st.lists(st.sampled_from([0, 1, 2, -1, 2**63, 1.5, True, None])),
                "data_offsets": st.lists(st.sampled_from([0, 4, 8, -1, HUGE, 1.5, None])),
            }
        )
        | st.none()
        | st.just({"elman": "{}"}),
    )
)
def test_any_table_is_a_model_or_one_error(table):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        path.write_bytes(raw({**METADATA, **table}, b"\0" * 8))
        try:
            found = model_file.read(path)
        except ModelFileError:
            return
    assert sum(array.nbytes for array in found.tensors.values()) == 8
