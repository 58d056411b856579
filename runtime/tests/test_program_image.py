"""Images: what has one, what is refused, and a C program that runs one."""

import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest

import native_programs as programs
from elman_runtime import native
from elman_runtime.program import Node, NumpyRunner, Program, Value
from elman_runtime.program.image import ImageError, forward_only, image
from elman_runtime.program.native_runner import NativeRunner
from elman_runtime.program.runner import runner

RUNTIME = Path(__file__).parents[1]


X, Y = Value("x", ("T", 4)), Value("y", ("T", 4))


def seal(data):
    """The bytes with the checksum that they should have."""
    return data[:12] + struct.pack("<I", zlib.crc32(data[16:])) + data[16:]


def test_the_same_program_has_the_same_image():
    assert image(*programs.every_op()) == image(*programs.every_op())
    assert image(*programs.every_op()) != image(*programs.every_op(seed=1))


def test_a_tape_keeps_what_a_step_needs():
    tape = forward_only(programs.GRU)
    written = [line.to for line in tape.forward.update]
    assert "v2" not in written
    assert written == ["u0", "v0", "v1", "r0", "r0", "v3", "r0", "r0", "new.h"]
    assert forward_only(programs.STAGED).forward == programs.STAGED.forward


def refused(*nodes, inputs=(X,), outputs=(Y,), states=(), tensors=None):
    with pytest.raises(ImageError) as caught:
        image(Program(inputs, outputs, states, nodes), tensors or {}, [programs.GRU])
    return str(caught.value)


def test_what_has_no_image_is_named():
    words = refused(Node("pool", ("x",), ("y",), attrs={"how": "max"}), outputs=(Value("y", (4,)),))
    assert "only a step program has an image; this one is whole" in words
    wide = Value("x", ("T", 5000, 4))
    words = refused(Node("tanh", ("x",), ("y",)), inputs=(wide,), outputs=(Value("y", wide.shape),))
    assert "more than 4096 lines a step" in words
    many = Value("x", ("T", 3, 1))
    words = refused(
        *(Node("exp", ("x",), ("a",)), Node("slice", ("z",), ("b",), attrs=_slice)),
        Node("add", ("a", "b"), ("y",)),
        inputs=(many, Value("z", ("T", 1, 4))),
        outputs=(Value("y", ("T", 3, 4)),),
    )
    assert "node add of ('y',): it broadcasts axes other than the last" in words


_slice = {"axis": "last", "start": 0, "stop": 4}


def test_tables_of_different_lengths_need_tokens_of_their_own():
    tensors = {"a": np.zeros((3, 2), "f4"), "b": np.zeros((4, 2), "f4")}
    nodes = [Node("embedding", ("t",), (f"e{k}",), {"weight": k}) for k in tensors]
    nodes.append(Node("concat", ("ea", "eb"), ("y",)))
    words = refused(*nodes, inputs=(Value("t", ("T",), "int"),), tensors=tensors)
    assert "'t' goes into tables of different lengths" in words


def test_the_runner_of_choice_is_the_compiled_one_where_it_can_be():
    assert isinstance(runner(*programs.stack()), NativeRunner)
    wide = Value("x", ("T", 5000, 4))
    program = Program((wide,), (Value("y", wide.shape),), (), (Node("tanh", ("x",), ("y",)),))
    assert isinstance(runner(program, {}), NumpyRunner)


def test_constants_are_folded_and_broadcast():
    rng = np.random.default_rng(0)
    tensors = {"a": rng.random((1, 3, 4)).astype("f4"), "b": rng.random((2, 2)).astype("f4")}
    nodes = (
        *(
            Node("constant", (), ("a",), {"value": "a"}),
            Node("constant", (), ("b",), {"value": "b"}),
        ),
        Node("reshape", ("b",), ("c",), attrs={"shape": [4]}),
        *(Node("mul", ("a", "c"), ("d",)), Node("add", ("x", "d"), ("e",))),
        *(Node("div", ("c", "e"), ("f",)), Node("softmax", ("f",), ("y",))),
    )
    x = Value("x", ("T", 3, 1))
    program = Program((x,), (Value("y", ("T", 3, 4)),), (), nodes)
    made, twin = NativeRunner(program, tensors), NumpyRunner(program, tensors)
    given = rng.random((2, 5, 3, 1)).astype("f4")
    found, wanted = np.empty((2, 2, 5, 3, 4), "f4")
    made.run(np.empty((2, 0), "f4"), (given,), (found,))
    twin.run(np.empty((2, 0), "f4"), (given,), (wanted,))
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


# --- what is no image ----------------------------------------------------------------------------


def test_bytes_that_are_no_image_are_refused():
    whole = image(*programs.every_op(units=3))
    assert native.stepper(whole).state_size > 0
    for size in (0, 1, 15, 63, 64, len(whole) // 2, len(whole) - 1):
        with pytest.raises(ValueError, match="image: "):
            native.stepper(whole[:size])
        if size > 16:
            with pytest.raises(ValueError, match="image: "):
                native.stepper(seal(whole[:size]))
    with pytest.raises(ValueError, match="its size is not what its header says"):
        native.stepper(whole + bytes(4))
    with pytest.raises(ValueError, match="its checksum does not fit"):
        native.stepper(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ValueError, match="version 2"):
        native.stepper(whole[:8] + struct.pack("<I", 2) + whole[12:])
    with pytest.raises(ValueError, match="instruction_set: there is none of that name"):
        native.stepper(whole, "mmx")


def test_arrays_that_do_not_fit_are_refused():
    b = programs.Build()
    y = b.linear(b.cell(programs.GRU, "x", 4, 6), 6, 2)
    made = NativeRunner(b.program((X,), (y, 2)), b.tensors, b.tapes)
    state, x, out = made.start(), np.zeros(4, "f4"), np.zeros(2, "f4")
    frozen = out.copy()
    frozen.flags.writeable = False
    for given, error, words in (
        ((state[:5], x, out), ValueError, "state: must have 6 values, got 5"),
        ((state, x[:3], out), ValueError, "x: must have 4 values, got 3"),
        ((state, x, np.zeros(3, "f4")), ValueError, "out: must have 2 values, got 3"),
        ((state, x.astype("f8"), out), TypeError, "x: must be float32"),
        ((state, np.zeros(8, "f4")[::2], out), TypeError, "x: must be float32, contiguous"),
        ((state, x.tolist(), out), TypeError, "x: must be a numpy.ndarray, got list"),
        ((state, x, frozen), TypeError, "out: must be float32, contiguous in C order and writable"),
        ((state, x), TypeError, "step: takes state, x, out and finite"),
    ):
        with pytest.raises(error, match=words):
            made.step(*given)
    rows, block, outs = np.tile(state, (3, 1)), np.zeros((3, 2, 4), "f4"), np.zeros((3, 2, 2), "f4")
    for chosen, words in (([0, 1, 3], "rows: must be 0 to 2"), ([0, 1, 1], "no row stands twice")):
        with pytest.raises(ValueError, match=words):
            made.run(rows, (block,), (outs,), np.array(chosen))
    with pytest.raises(ValueError, match="state: must be"):
        made.run(rows[:2], (block,), (outs,))
    with pytest.raises(ValueError, match="outputs: each must be"):
        made.run(rows, (block,), (outs[:, :1],))
    made.run(rows, (block,), (outs,))


# --- C -------------------------------------------------------------------------------------------


@pytest.fixture(name="stream", scope="module")
def _stream(tmp_path_factory):
    """The example, compiled beside the core's own sources."""
    compilers = [shutil.which(name) for name in ("cc", "c++", "cmake")]
    if not all(compilers):
        pytest.skip("a C and a C++ compiler and cmake are needed")
    folder = tmp_path_factory.mktemp("c")
    options = ["-DELMAN_C_LIBRARY=ON", "-DBUILD_SHARED_LIBS=ON", "-DELMAN_WERROR=ON"]
    _run("cmake", "-S", RUNTIME, "-B", folder / "build", *options)
    _run("cmake", "--build", folder / "build", "--parallel", "2")
    _run("cmake", "--install", folder / "build", "--prefix", folder)
    libraries = next(path.parent for path in folder.glob("lib*/libelman.*"))
    program = folder / "stream"
    links = ["-I", folder / "include", "-L", libraries, "-lelman", f"-Wl,-rpath,{libraries}"]
    strict = ["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror"]
    _run("cc", *strict, RUNTIME / "examples" / "stream.c", *links, "-o", program)
    return program


def _run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_c_program_streams_a_model(stream, tmp_path):
    b = programs.Build()
    y = b.linear(b.cell(programs.LSTM, "x", 4, 20), 20, 2)
    made = NativeRunner(b.program((X,), (y, 2)), b.tensors, b.tapes)
    file = tmp_path / "model.elman"
    file.write_bytes(made.image)
    x = np.random.default_rng(0).standard_normal((50, 4)).astype("f4")
    wanted = np.empty((50, 2), "f4")
    made.step(made.start(), x, wanted)
    done = subprocess.run([stream, file], input=x.tobytes(), capture_output=True, timeout=30)
    assert (done.returncode, done.stdout) == (0, wanted.tobytes())
    x[30, 1] = np.nan
    done = subprocess.run([stream, file], input=x.tobytes(), capture_output=True, timeout=30)
    assert (done.returncode, done.stdout) == (1, wanted[:30].tobytes())
    for data, words in (
        (made.image[:100], b"it is cut short"),
        (b"", b"no image"),
        (None, b"cannot be"),
    ):
        if data is None:
            file.unlink()
        else:
            file.write_bytes(data)
        done = subprocess.run([stream, file], input=b"", capture_output=True, timeout=30)
        assert done.returncode == 2
        assert words in done.stderr
    file.write_bytes(image(*programs.every_op()))
    done = subprocess.run([stream, file], input=b"", capture_output=True, timeout=30)
    assert b"not one of floats in and floats out" in done.stderr
