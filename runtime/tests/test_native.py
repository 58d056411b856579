"""The compiled module and its NumPy twins mean the same; here the module must be there."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from elman_runtime import native

DTYPES = [np.float16, np.float32, np.float64]
BAD = [np.nan, -np.nan, np.inf, -np.inf]
# Around the sizes at which the scan changes what it does: its block, and giving up the lock.
SIZES = [0, 1, 2, 7, 1023, 1024, 1025, 2049, 65535, 65536, 65537]


def test_the_compiled_module_is_installed():
    """Fails, never skips: elsewhere a missing module only means slower work."""
    assert native.available, native.missing_because
    assert native.missing_because is None


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
def test_finite_values_give_minus_one(dtype, size):
    array = np.random.default_rng(size).standard_normal(size).astype(dtype)
    assert native.first_nonfinite(array) == native.numpy_first_nonfinite(array) == -1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES[1:])
def test_the_first_of_several_is_found(dtype, size):
    rng = np.random.default_rng(size)
    for at in {0, size // 2, size - 1}:
        array = rng.standard_normal(size).astype(dtype)
        array[rng.integers(at, size, 3)] = rng.choice(BAD)
        array[at] = rng.choice(BAD)
        assert native.first_nonfinite(array) == native.numpy_first_nonfinite(array) == at


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_bits_are_told_apart(dtype):
    info = np.finfo(dtype)
    finite = [info.max, info.min, info.tiny, info.smallest_subnormal, 0.0, -0.0]
    assert native.first_nonfinite(np.array(finite, dtype)) == -1
    word = np.uint32 if dtype is np.float32 else np.uint64
    infinity = np.array([np.inf], dtype).view(word)
    for bits in (infinity, infinity + word(1), ~(infinity * word(0))):  # inf, NaNs of few, all bits
        array = np.array([*finite, 0], dtype)
        array.view(word)[-1] = bits[0]
        assert native.first_nonfinite(array) == native.numpy_first_nonfinite(array) == len(finite)


def test_shapes_read_only_memory_and_unaligned_starts():
    array = np.zeros((3, 5, 7), np.float32)
    array[1, 2, 3] = np.nan
    array.flags.writeable = False
    assert native.first_nonfinite(array) == np.ravel_multi_index((1, 2, 3), array.shape)
    assert native.first_nonfinite(array[1:]) == np.ravel_multi_index((0, 2, 3), array.shape)
    assert native.first_nonfinite(np.array(np.inf)) == 0


@pytest.mark.parametrize(
    ("array", "error", "words"),
    [
        (np.zeros(3, np.int32), TypeError, "<i4"),
        (np.zeros(3, np.complex64), TypeError, "<c8"),
        (np.zeros(3, ">f4"), TypeError, ">f4"),
        (np.zeros((4, 4), np.float32).T[1:], ValueError, "ascontiguousarray"),
        (np.zeros(8, np.float64)[::2], ValueError, "strides"),
    ],
)
def test_other_arrays_are_refused(array, error, words):
    with pytest.raises(error, match=words):
        native.first_nonfinite(array)


def test_the_compiled_functions_copy_nothing():
    """A silent copy could be as long as the model: the binding refuses instead."""
    compiled = importlib.import_module("elman_runtime._native")
    for array in (np.zeros(8, np.float32)[::2], np.zeros(3, np.int64), [1.0, 2.0], None):
        with pytest.raises(TypeError):
            compiled.first_nonfinite(array)


def test_instruction_sets():
    sets = native.instruction_sets()
    assert sets[0] == "baseline"
    assert set(sets) <= {"baseline", "avx2+fma", "avx512", "neon"}
    assert "avx512" not in sets or "avx2+fma" in sets


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="Linux tells what it saves there")
def test_instruction_sets_agree_with_the_operating_system():
    assert native.instruction_sets() == native.numpy_instruction_sets()


@pytest.mark.skipif(not native.available, reason="the compiled module asks the processor")
def test_the_maker_is_who_the_operating_system_names():
    rows = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    named = {row.partition(":")[2].strip() for row in rows if row.startswith("vendor_id")}
    if len(named) != 1:
        pytest.skip("Linux on x86 names it")
    assert {native.maker()} == named


@pytest.mark.parametrize(
    ("flags", "sets"),
    [
        (["fpu sse2"], []),
        (["avx2"], []),
        (["avx2 fma"], ["avx2+fma"]),
        (["avx2 fma avx512f avx512bw"], ["avx2+fma"]),
        (["avx2 fma avx512f avx512cd avx512bw avx512dq avx512vl"], ["avx2+fma", "avx512"]),
        (["avx2 fma", "sse2"], []),
    ],
)
def test_the_twin_reads_what_every_processor_has(monkeypatch, flags, sets):
    text = "".join(f"processor : {i}\nflags\t\t: {row}\n" for i, row in enumerate(flags))
    monkeypatch.setattr(Path, "read_text", lambda *_args, **_kwargs: text)
    monkeypatch.setattr(native.platform, "machine", lambda: "x86_64")
    assert native.numpy_instruction_sets() == ["baseline", *sets]


def test_the_twin_without_proc(monkeypatch):
    def no_file(*_args, **_kwargs):
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", no_file)
    monkeypatch.setattr(native.platform, "machine", lambda: "arm64")
    assert native.numpy_instruction_sets() == ["baseline", "neon"]


@pytest.fixture
def without_module(monkeypatch):
    """`elman_runtime.native` as it is where the compiled module is missing."""
    package = importlib.import_module("elman_runtime")
    monkeypatch.delattr(package, "_native", raising=False)
    monkeypatch.setitem(sys.modules, "elman_runtime._native", None)
    spec = importlib.util.spec_from_file_location("native_without_module", native.__file__)
    pure = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pure)
    return pure


def test_without_the_module_the_twins_serve(without_module):
    pure = without_module
    assert not pure.available
    assert "pip install" in pure.missing_because
    array = np.array([0, np.inf], np.float32)
    assert pure.first_nonfinite(array) == 1
    assert pure.instruction_sets() == native.numpy_instruction_sets()
    with pytest.raises(TypeError, match="float64"):
        pure.first_nonfinite(np.arange(3))


@pytest.mark.parametrize("double", [False, True])
def test_what_is_lent_is_lent_again_when_no_array_is_left(double):
    one = native.lend(double, 1 << 20)
    assert one.dtype == (np.float64 if double else np.float32)
    one[:] = 7
    part, address = one[5:9], one.ctypes.data
    del one
    other = native.lend(double, 1 << 20)
    assert other.ctypes.data != address
    other[:] = 8
    assert part.tolist() == [7] * 4
    del part
    if native.available:
        assert native.lend(double, 1 << 20).ctypes.data == address
    assert native.lend(double, 0).size == 0
