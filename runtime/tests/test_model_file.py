"""What is written is what is read."""

import hashlib
import json
import os
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from elman_runtime import files, model_file, tensor_table
from elman_runtime.model_file import ModelFileError

META = {"version": 1, "settings": {"hidden": 64, "names": ["r", "z", "n"], "rate": 0.5}}
NAMES = st.text(min_size=1, max_size=40).filter(lambda name: name.isprintable())
ARRAYS = st.sampled_from(list(tensor_table.DTYPES.values())).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0, max_side=4))
)


def tensors():
    rng = np.random.default_rng(0)
    return {
        "layer.weight_ih_l0": rng.standard_normal((6, 5)).astype(np.float32),
        "layer.weight_hh_l0": rng.standard_normal((6, 2)),
        "half": rng.standard_normal(3).astype(np.float16),
        "extra.words": np.frombuffer("wörter".encode(), np.uint8),
        "flag": np.array(True),
        "ids": np.array([[-1, 2**62]]),
        "small": np.array([-1, 2], np.int8),
        "middle": np.arange(3, dtype=np.int16),
        "usual": np.arange(3, dtype=np.int32),
        "empty": np.empty((0, 7), np.float32),
    }


def same(one, other):
    assert sorted(one) == sorted(other)
    for name, array in one.items():
        found = other[name]
        assert (array.dtype, array.shape) == (found.dtype, found.shape)
        assert array.tobytes() == found.tobytes()


def test_round_trip(tmp_path):
    path = tmp_path / "model.safetensors"
    digest = model_file.write(path, META, tensors())
    found = model_file.read(path)
    assert found.meta == META
    same(found.tensors, tensors())
    assert list(found.tensors) == sorted(tensors())
    assert found.digest == digest == model_file.digest(META, tensors())
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]


def test_what_is_read_is_the_readers_own(tmp_path):
    model_file.write(tmp_path / "a", META, tensors())
    for array in model_file.read(str(tmp_path / "a")).tensors.values():
        assert array.flags.writeable
        assert array.flags.c_contiguous
        assert array.flags.aligned
        assert array.dtype.isnative


def test_nothing_at_all(tmp_path):
    model_file.write(tmp_path / "a", {}, {})
    assert model_file.read(tmp_path / "a")[:2] == ({}, {})


@settings(derandomize=True, deadline=None)
@given(st.dictionaries(NAMES, ARRAYS, max_size=4))
def test_any_tensors_round_trip(stored):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        digest = model_file.write(path, {"k": [1]}, stored, finite=False)
        found = model_file.read(path, finite=False)
    same(found.tensors, stored)
    assert found.digest == digest


def test_equal_contents_give_equal_bytes(tmp_path):
    backwards = dict(reversed(tensors().items()))
    backwards["layer.weight_hh_l0"] = np.asfortranarray(backwards["layer.weight_hh_l0"])
    backwards["ids"] = backwards["ids"].astype(">i8")
    meta = dict(reversed(META.items()))
    one = model_file.write(tmp_path / "a", META, tensors())
    other = model_file.write(tmp_path / "b", meta, backwards)
    assert one == other == model_file.digest(meta, backwards)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_golden_bytes(tmp_path):
    """Version 1 of the layout, byte for byte: old files and digests must stay valid."""
    stored = {"w": np.array([[1.5, -2.0]], np.float32), "n": np.array([3], np.int8)}
    digest = model_file.write(tmp_path / "a", {"b": 1, "a": "é"}, stored)
    header = (
        '{"__metadata__":{"elman":"{\\"a\\":\\"é\\",\\"b\\":1}"},'
        '"n":{"data_offsets":[8,9],"dtype":"I8","shape":[1]},'
        '"w":{"data_offsets":[0,8],"dtype":"F32","shape":[1,2]}}'
    ).encode()
    header += b" " * (-len(header) % 8)
    data = struct.pack("<ffb", 1.5, -2.0, 3)
    assert (tmp_path / "a").read_bytes() == struct.pack("<Q", len(header)) + header + data
    table, text = b'[["n","I8",[1]],["w","F32",[1,2]]]', '{"a":"é","b":1}'.encode()
    digested = b"elman model 1\n" + struct.pack("<QQ", len(table), len(text)) + table + text
    digested += struct.pack("<bff", 3, 1.5, -2.0)
    assert digest == hashlib.sha256(digested).hexdigest()


def test_every_change_changes_the_digest():
    seen = {model_file.digest(META, tensors())}
    changes = {
        "value": lambda t: t["usual"].__setitem__(0, 9),
        "shape": lambda t: t.update(ids=t["ids"].T),
        "dtype": lambda t: t.update(small=t["small"].view(np.uint8)),
        "name": lambda t: t.update(other=t.pop("half")),
        "one more": lambda t: t.update(more=np.empty(0)),
        "one less": lambda t: t.pop("empty"),
        "minus zero": lambda t: t.update(usual=np.array(-0.0)),
        "zero": lambda t: t.update(usual=np.array(0.0)),
    }
    for change in changes.values():
        changed = tensors()
        change(changed)
        seen.add(model_file.digest(META, changed))
    seen.add(model_file.digest({**META, "version": 2}, tensors()))
    assert len(seen) == len(changes) + 2


def test_describe_reads_no_data(tmp_path):
    path = tmp_path / "a"
    model_file.write(path, META, tensors())
    found = model_file.describe(path)
    assert found.meta == META
    assert found.size == path.stat().st_size
    assert list(found.tensors) == sorted(tensors())
    assert found.tensors["ids"] == ("I64", (1, 2))
    assert found.tensors["flag"] == ("BOOL", ())
    with path.open("r+b") as file:  # a NaN in the data is none of its business
        file.seek(-1, os.SEEK_END)
        file.write(b"\x07")
    assert model_file.describe(path) == found


def test_the_safetensors_library_reads_it(tmp_path):
    safetensors = pytest.importorskip("safetensors")
    library = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "a"
    model_file.write(path, META, tensors())
    same(library.load_file(path), tensors())
    with safetensors.safe_open(path, "np") as file:
        assert json.loads(file.metadata()["elman"]) == META


def test_a_file_of_the_safetensors_library_is_read(tmp_path):
    library = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "a"
    library.save_file(tensors(), path, metadata={"elman": json.dumps(META)})
    found = model_file.read(path)
    assert found.meta == META
    same(found.tensors, tensors())
    assert found.digest == model_file.digest(META, tensors())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_values_must_be_finite_unless_told_otherwise(tmp_path, dtype, value):
    array = np.zeros((3, 4), dtype)
    array[1, 2] = value
    path = tmp_path / "a"
    with pytest.raises(ModelFileError, match=r"'w': values are finite; got .* at \(1, 2\)"):
        model_file.write(path, {}, {"w": array})
    assert not path.exists()
    digest = model_file.write(path, {}, {"w": array}, finite=False)
    with pytest.raises(ModelFileError, match=rf"^{path}: tensor 'w': values are finite"):
        model_file.read(path)
    assert model_file.read(path, finite=False).digest == digest


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros(2, np.uint16), "got NumPy's uint16; convert it with .astype()"),
        (np.zeros(2, np.complex64), "got NumPy's complex64"),
        (np.array(["a"]), "a dtype is one of F64, F32"),
        (np.array([None]), "got NumPy's object"),
        (np.zeros(2, [("a", "f4")]), "a dtype is one of"),
        (np.zeros(2, "M8[s]"), "a dtype is one of"),
        (np.array([2], np.uint8).view(np.bool_), "a BOOL is 0 or 1; got 2 at 0"),
    ],
)
def test_tensors_that_cannot_be_stored(tmp_path, array, words):
    with pytest.raises(ModelFileError) as caught:
        model_file.write(tmp_path / "a", {}, {"w": array})
    assert words in str(caught.value)
    assert f"{tmp_path / 'a'}: tensor 'w': " in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("tensor", [[1.0], 1.0, None, np.float32(1), np.ma.array([1.0], mask=[1])])
def test_what_is_no_array_is_a_type_error(tmp_path, tensor):
    with pytest.raises(TypeError, match=r"tensor 'w': must be a NumPy array; got .*; use numpy"):
        model_file.write(tmp_path / "a", {}, {"w": tensor})


@pytest.mark.parametrize("name", ["", "a\nb", "\x00", "__metadata__", "é" * 257, "\ud800", 3])
def test_names_that_cannot_be_stored(tmp_path, name):
    with pytest.raises(ModelFileError, match="tensor names: a name is 1 to 512 bytes"):
        model_file.write(tmp_path / "a", {}, {name: np.zeros(1)})


@pytest.mark.parametrize(
    ("meta", "error", "words"),
    [
        ({"a": float("inf")}, ModelFileError, "meta.a: numbers are finite"),
        ({"a": {2: 3}}, ModelFileError, "meta.a: keys are str"),
        ({"a": np.float32(1)}, ModelFileError, "meta.a: values are dict"),
        ({"a": "x" * (17 << 20)}, ModelFileError, "header: at most 16777216 bytes"),
        (["a"], TypeError, "meta: must be a dict; got list"),
    ],
)
def test_settings_that_cannot_be_stored(tmp_path, meta, error, words):
    with pytest.raises(error, match=words):
        model_file.write(tmp_path / "a", meta, {})
    assert list(tmp_path.iterdir()) == []


def test_writing_goes_through_write_atomic(tmp_path, monkeypatch):
    path = tmp_path / "a"
    model_file.write(path, META, {})
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        model_file.write(path, {}, tensors(), overwrite=False)

    def interrupted(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model_file.write(path, {}, tensors())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
