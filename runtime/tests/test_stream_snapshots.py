"""The state of a stream: in bytes and files, refused where it is wrong; threads, forks, memory."""

import hashlib
import os
import threading
import tracemalloc
import warnings

import numpy as np
import pytest

import stream_models as models
from elman_runtime import files, load, native
from elman_runtime.snapshot import SnapshotError, unpack
from elman_runtime.stream import Stream

NAN = np.full(models.INPUTS, np.nan, np.float32)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load(models.gru(tmp_path_factory.mktemp("gru") / "model.safetensors"))


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    return load(models.several(tmp_path_factory.mktemp("several") / "model.safetensors"))


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    return load(models.window(tmp_path_factory.mktemp("window") / "model.safetensors"))


def test_the_note_travels_in_one_atomic_file(model, tmp_path):
    x, path = models.noise(10), tmp_path / "s.state"
    stream = Stream(model)
    stream.push(x[:6])
    stream.save(path, note={"offset": 6, "file": "größe.csv"})
    assert [p.name for p in tmp_path.iterdir()] == ["s.state"]
    expected = stream.push(x[6:])
    back = Stream.load(path, model, on_bad="skip")
    assert back.note == {"offset": 6, "file": "größe.csv"}
    assert np.array_equal(back.push(x[back.note["offset"] :]), expected)
    with pytest.raises(ValueError, match="finite"):
        stream.save(path, note=float("nan"))
    assert Stream.load(path, model).count == 6


def test_states_of_another_model_or_program_are_refused(model, several, window, tmp_path):
    other = load(models.gru(tmp_path / "other.safetensors", seed=5))
    kept = Stream(model).state()
    for wrong in (other, several, window):
        stream = Stream(wrong)
        before = stream.state()
        with pytest.raises(SnapshotError, match="must be of this model"):
            stream.restore(kept)
        assert stream.state() == before
    with pytest.raises(TypeError, match="data must be bytes"):
        Stream(model).restore("state")
    with pytest.raises(FileNotFoundError, match="there is no such file; check the path"):
        Stream.load(tmp_path / "none", model)
    with pytest.raises(SnapshotError, match="is a regular file"):
        Stream.load(tmp_path, model)


def test_every_damaged_byte_is_seen(model):
    stream = Stream(model)
    stream.push(models.noise(4))
    kept = stream.state(note="n")
    other = Stream(model)
    before = other.state()
    for at in range(len(kept)):
        wrong = bytearray(kept)
        wrong[at] ^= 1
        with pytest.raises(SnapshotError):
            other.restore(bytes(wrong))
    for end in (0, 5, 16, 40, len(kept) - 1):
        with pytest.raises(SnapshotError):
            other.restore(kept[:end])
    with pytest.raises(SnapshotError):
        other.restore(kept + b"x")
    assert other.state() == before


def test_another_instruction_set_is_said(model):
    stream = Stream(model)
    kept = stream.state()
    found = unpack(kept, "state", stream._streamable.origin("stream"))
    assert found.origin.instruction_set
    old = found.origin.instruction_set.encode()
    wrong = _resealed(kept.replace(b'"' + old + b'"', b'"' + b"Z" * len(old) + b'"'))
    with pytest.warns(RuntimeWarning, match="within rounding, not bit for bit"):
        stream.restore(wrong)


def test_sealed_but_impossible_contents_are_refused(model, window):
    stream = Stream(model)
    kept = stream.state()
    head = int.from_bytes(kept[12:16], "little")
    # bad, count, flags, ... in the order of their names: more bad ones than there were.
    wrong = bytearray(kept)
    wrong[16 + head] = 9
    with pytest.raises(SnapshotError, match="must be possible"):
        stream.restore(_resealed(bytes(wrong)))
    for old, new in ((b'"<i8"', b'"<f8"'), (b'"|u1"', b'"|O8"'), (b"[1,8]", b"[2,4]")):
        assert old in kept
        with pytest.raises(SnapshotError):
            stream.restore(_resealed(kept.replace(old, new)))
    ring = Stream(window)
    ring.feed(models.noise(2, models.SERIES))
    kept = ring.state()
    place = kept.rindex(np.float32(2).tobytes())
    with pytest.raises(SnapshotError, match="windows must be possible"):
        ring.restore(_resealed(kept[:place] + np.float32(99).tobytes() + kept[place + 4 :]))


def _resealed(data):
    return data[:-32] + hashlib.sha256(data[:-32]).digest()


def test_a_full_disk_leaves_the_old_file(model, tmp_path, monkeypatch):
    path = tmp_path / "s.state"
    stream = Stream(model)
    stream.save(path, note=1)

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", fail)
    stream.step(np.zeros(3))
    with pytest.raises(OSError, match="the disk is full"):
        stream.save(path, note=2)
    monkeypatch.undo()
    assert Stream.load(path, model).note == 1


# --- threads, processes, memory ------------------------------------------------------------------


def test_a_second_thread_is_refused(model):
    stream, inside, go = Stream(model), threading.Event(), threading.Event()
    run = stream._run

    def slow():
        inside.set()
        go.wait(10)
        run()

    stream._run = slow
    thread = threading.Thread(target=stream.step, args=(np.zeros(3),))
    thread.start()
    inside.wait(10)
    try:
        for use in (
            lambda: stream.step(np.zeros(3)),
            lambda: stream.push(np.zeros((2, 3))),
            stream.state,
            stream.reset,
            stream.fork,
            stream.output,
        ):
            with pytest.raises(RuntimeError, match="one thread at a time"):
                use()
    finally:
        go.set()
        thread.join()
    stream._run = run
    assert np.array_equal(stream.step(np.ones(3)), Stream(model).push([[0, 0, 0], [1, 1, 1]])[1])


def test_forks_in_threads_do_not_disturb_each_other(model):
    x = models.noise(60)
    expected = Stream(model).push(x)
    first = Stream(model)
    twins = [first.fork() for _ in range(4)]
    found = [None] * 4

    def feed(k):
        found[k] = np.array([twins[k].step(row) for row in x])

    threads = [threading.Thread(target=feed, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(one, expected) for one in found)


def test_a_stream_survives_fork(model):
    x = models.noise(12)
    expected = Stream(model).push(x)
    stream = Stream(model)
    stream.push(x[:5])
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # other tests left threads
        child = os.fork()
    if child == 0:
        try:
            os.write(writer, stream.push(x[5:]).tobytes())
        finally:
            os._exit(0)
    os.close(writer)
    data = b""
    while part := os.read(reader, 65536):
        data += part
    os.close(reader)
    os.waitpid(child, 0)
    assert data == expected[5:].tobytes()
    assert stream.count == 5
    assert np.array_equal(stream.push(x[5:]), expected[5:])


@pytest.mark.skipif(not native.engines(), reason="NumPy makes arrays at each step")
def test_a_step_into_out_makes_no_array(model):
    x, out = models.noise(1)[0], np.empty(2, np.float32)
    stream = Stream(model)
    # Some small integers, whatever the width; one array, to see that it is seen.
    assert _made(lambda: stream.step(x, out=out)) < 120 < _made(lambda: stream.step(x))


def test_steps_leave_nothing_behind(model):
    x, stream = models.noise(1)[0], Stream(model)
    for _ in range(20):
        stream.step(x)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(200):
            stream.step(x)
        assert tracemalloc.get_traced_memory()[0] - before < 4096
    finally:
        tracemalloc.stop()


def _made(step):
    """The most bytes that were held at once within steps, after some to warm up."""
    for _ in range(20):
        step()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(50):
            step()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
