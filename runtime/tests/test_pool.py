"""Many streams in one arena: each as if it were alone, whoever comes and goes."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stream_models as models
from elman_runtime import arena, load
from elman_runtime.pool import StreamPool
from elman_runtime.snapshot import SnapshotError
from elman_runtime.stream import Stream


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load(models.gru(tmp_path_factory.mktemp("gru") / "model.safetensors"))


def alone(model, x, on_bad="raise"):
    stream = Stream(model, on_bad=on_bad)
    return np.array([stream.step(row) for row in x])


@settings(max_examples=15)
@given(data=st.data())
def test_each_row_is_a_stream_of_its_own_in_any_company_and_order(model, data):
    keys = st.lists(st.sampled_from(["a", 7, b"b", ("c", 1), None]), max_size=7)
    calls = data.draw(st.lists(keys, max_size=6))
    pool, fed, found = StreamPool(model), {}, {}
    x = iter(models.noise(50))
    for call in calls:
        rows = [next(x) for _ in call]
        y = pool.step(call, np.array(rows, np.float32).reshape(-1, 3))
        for key, row, out in zip(call, rows, y, strict=True):
            fed.setdefault(key, []).append(row)
            found.setdefault(key, []).append(out)
    assert len(pool) == len(fed)
    assert list(pool) == list(fed)
    for key, rows in fed.items():
        assert np.array_equal(found[key], alone(model, rows))
        assert pool.count(key) == len(rows)


def test_a_key_that_stands_twice_is_fed_in_the_order_of_its_rows(model):
    x = models.noise(5)
    found = StreamPool(model).step(["a", "b", "a", "a", "b"], x)
    assert np.array_equal(found[[0, 2, 3]], alone(model, x[[0, 2, 3]]))
    assert np.array_equal(found[[1, 4]], alone(model, x[[1, 4]]))


def test_the_arena_grows_and_states_stay(model):
    pool, many = StreamPool(model), arena._FIRST * 5 + 3
    x = models.noise(2 * many).reshape(2, many, 3)
    pool.step(["first"], x[0, :1])
    handles = pool.handles(["first"])
    pool.step(range(many), x[0])
    second = pool.step(range(many), x[1])
    for k in (0, 63, 64, many - 1):
        assert np.array_equal(second[k], alone(model, x[:, k])[1])
    expected = alone(model, [x[0, 0], x[1, 0]])[1]
    assert np.array_equal(pool.step_at(handles, x[1, :1])[0], expected)
    assert len(pool) == many + 1


def test_handles_find_streams_until_these_are_gone(model):
    x, pool = models.noise(3), StreamPool(model)
    handles = pool.handles(["a", "b", "c"])
    assert handles.dtype == np.int64
    found = pool.step_at(handles[::-1], x)
    assert np.array_equal(found, StreamPool(model).step(["c", "b", "a"], x))
    pool.remove("b")
    assert "b" not in pool
    pool.step(["new"], x[:1])  # takes the place of b
    before = pool.state()
    with pytest.raises(KeyError, match="number 1 is of one that was removed or evicted"):
        pool.step_at(handles, x)
    for wrong in (np.array([-1]), np.array([1 << 20]), handles + (5 << 32)):
        with pytest.raises(KeyError, match="removed or evicted"):
            pool.step_at(wrong, x[: len(wrong)])
    for wrong in (handles.astype(np.int32), handles[None], ["a"]):
        with pytest.raises(ValueError, match=r"handles: must be int64 \(N,\)"):
            pool.step_at(wrong, x)
    with pytest.raises(KeyError, match="must be of a stream in the pool; got 'b'"):
        pool.remove("b")
    assert np.frombuffer(pool.state(), np.uint8).size == np.frombuffer(before, np.uint8).size


@pytest.mark.parametrize("on_bad", ["hold", "skip"])
@pytest.mark.parametrize("kind", ["gru", "window"])
def test_bad_rows_are_held_or_skipped_one_by_one(tmp_path, on_bad, kind):
    model = load(getattr(models, kind)(tmp_path / "m.safetensors"))
    width = models.INPUTS if kind == "gru" else models.SERIES
    draw = np.random.default_rng(4)
    x = models.noise(8 * 5, width).reshape(8, 5, width)
    x[draw.random((8, 5)) < 0.3, 0] = np.nan
    pool = StreamPool(model, on_bad=on_bad)
    found = np.array([pool.step(list("abcde"), rows) for rows in x])
    assert np.isnan(x).any(2).sum() > 5
    for k in range(5):
        assert np.array_equal(found[:, k], alone(model, x[:, k], on_bad), equal_nan=True)


def test_a_refused_call_changes_nothing(model):
    x, pool = models.noise(3), StreamPool(model, max_streams=3)
    pool.step(["a", "b"], x[:2])
    bad = x.copy()
    bad[2, 1] = np.nan
    before = pool._arena.rows.take(slice(None))
    for call, error, words in (
        (lambda: pool.step(["a", "b", "new"], bad), ValueError, r"row 2: 'x' must be finite"),
        (lambda: pool.step(["a", "b"], x), ValueError, r"must have shape \(2, 3\); got \(3, 3\)"),
        (lambda: pool.step(list("abcd"), models.noise(4)), ValueError, "at most 3 streams"),
        (lambda: pool.step(["a", []], x[:2]), TypeError, "unhashable"),
        (lambda: pool.step("abc", x), TypeError, r"got str; for one, give \[key\]"),
        (lambda: pool.step(list("abc"), x, out=np.empty((3, 3))), ValueError, "out: 'y'"),
    ):
        with pytest.raises(error, match=words):
            call()
        after = pool._arena.rows.take(slice(None))
        assert all(np.array_equal(before[k], after[k], equal_nan=True) for k in before)
        assert list(pool) == ["a", "b"]


def test_out_is_written_at_once_or_after(model):
    x = models.noise(4)
    keys = list("abca")
    expected = StreamPool(model).step(keys, x)
    for out in (
        np.empty((4, 2), np.float32),
        np.empty((4, 2)),
        np.empty((4, 4), np.float32)[:, ::2],
    ):
        assert StreamPool(model).step(keys, x, out=out) is out
        assert np.array_equal(out, expected)
    shared = np.zeros(20, np.float32)
    x_there, out = shared[:12].reshape(4, 3), shared[4:12].reshape(4, 2)
    x_there[:] = x
    assert np.array_equal(StreamPool(model).step(keys, x_there, out=out), expected)


def test_several_inputs_and_outputs(tmp_path):
    model = load(models.several(tmp_path / "m.safetensors"))
    x, words = models.noise(3), np.array([1, 2, 3])
    y, squashed = StreamPool(model).step(list("aba"), (words, x))
    one = Stream(model)
    one.step((1, x[0]))
    assert np.array_equal(one.step((3, x[2]))[1], squashed[2])
    assert y.shape == (3, 2)
    assert [port.name for port in StreamPool(model).inputs] == ["token", "x"]


def test_idle_streams_are_evicted(model, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(arena.time, "monotonic", lambda: now[0])
    x, pool = models.noise(3), StreamPool(model)
    pool.step(["a", "b", "c"], x)
    now[0] += 5
    pool.step(["b"], x[:1])
    now[0] += 5
    pool.step(["c"], x[:1])
    with pytest.raises(ValueError, match="idle_steps or older_than"):
        pool.evict()
    assert pool.evict(idle_steps=2) == []
    assert pool.evict(older_than=10) == []
    assert pool.evict(idle_steps=1) == ["a"]
    assert pool.evict(older_than=4) == ["b"]
    assert list(pool) == ["c"]
    again = pool.step(["a"], x[:1])  # begins anew
    assert np.array_equal(again, alone(model, x[:1]))
    assert pool.count("a") == 1


def test_a_full_pool_may_drop_who_was_idle_longest(model):
    x = models.noise(4)
    pool = StreamPool(model, max_streams=3, on_full="evict")
    for key in "abc":
        pool.step([key], x[:1])
    pool.step(["a"], x[1:2])
    pool.step(["d", "c"], x[:2])  # b goes; c is asked for
    assert list(pool) == ["a", "c", "d"]
    assert pool.count("c") == 2
    with pytest.raises(ValueError, match="at most 3 streams"):
        pool.step(list("wxyz"), x)
    for wrong in ({"max_streams": 0}, {"on_full": "drop"}):
        with pytest.raises(ValueError, match="must be"):
            StreamPool(model, **wrong)


def test_all_states_and_a_note_are_one_atomic_file(model, tmp_path, monkeypatch):
    keys = ["größe", 7, b"\x00b", ("c", (1, None)), None, 2.5, True]
    x, path = models.noise(len(keys)), tmp_path / "p.state"
    now = [100.0]
    monkeypatch.setattr(arena.time, "monotonic", lambda: now[0])
    pool = StreamPool(model, on_bad="hold")
    pool.step(keys, x)
    now[0] += 3
    pool.step(keys[:2], x[:2])
    pool.save(path, note={"offset": 12})
    assert [p.name for p in tmp_path.iterdir()] == ["p.state"]
    now[0] = 5.0  # another process, another clock
    back = StreamPool.load(path, model, on_bad="hold")
    assert back.note == {"offset": 12}
    assert list(back) == keys
    assert back.count(7) == 2
    x[3] = np.nan
    assert np.array_equal(back.step(keys, x), pool.step(keys, x))
    fresh = StreamPool.load(path, model)
    assert fresh.evict(older_than=2.5) == keys[2:]
    assert fresh.evict(idle_steps=0) == []
    handles = pool.handles(keys)
    pool.restore_file(path)
    with pytest.raises(KeyError, match="removed or evicted"):
        pool.step_at(handles, x)


def test_what_cannot_be_saved_is_said(model):
    pool = StreamPool(model)
    for key in (object(), float("nan"), "\ud800"):
        pool.step([key], models.noise(1))
        with pytest.raises(TypeError, match="keys"):
            pool.state()
        pool.remove(key)
    assert StreamPool(model).restore(pool.state(note=1)) == 1


def test_snapshots_go_to_their_own_kind(model, tmp_path):
    x = models.noise(5)
    pool, stream = StreamPool(model), Stream(model)
    expected = alone(model, x)
    for row in x[:3]:
        pool.step(["a"], row[None])
    # From the pool to a stream, and back under another key.
    assert stream.restore(pool.state_of("a", note=3)) == 3
    assert np.array_equal(stream.step(x[3]), expected[3])
    assert np.array_equal(stream.output(), expected[3])
    assert pool.restore_to("b", stream.state(note=4)) == 4
    assert np.array_equal(pool.step(["b"], x[4:])[0], expected[4])
    with pytest.raises(SnapshotError, match="must be of a pool; got that of a stream"):
        pool.restore(stream.state())
    with pytest.raises(SnapshotError, match="must be of a stream; got that of a pool"):
        stream.restore(pool.state())
    other = StreamPool(models.gru(tmp_path / "o.safetensors", seed=9))
    with pytest.raises(SnapshotError, match="must be of this model"):
        other.restore(pool.state())
    with pytest.raises(SnapshotError, match="checksum"):
        pool.restore(pool.state()[:-1] + b"!")
    assert pool.count("b") == 5


def test_sealed_but_impossible_pools_are_refused(model):
    pool = StreamPool(model)
    pool.step(["aa", "bb"], models.noise(2))
    kept = pool.state()
    for old, new in ((b'["aa","bb"]', b'["aa","aa"]'), (b'["aa","bb"]', b'["aa",{"b":1]')):
        assert len(old) == len(new) or new.endswith(b"]")
        with pytest.raises(SnapshotError):
            pool.restore(_resealed(kept.replace(old, new.ljust(len(old))[: len(old)])))
    with pytest.raises(SnapshotError):
        pool.restore(_resealed(kept.replace(b'"idle_steps"', b'"idle_stepz"')))
    assert list(pool) == ["aa", "bb"]


def _resealed(data):
    import hashlib

    return data[:-32] + hashlib.sha256(data[:-32]).digest()


@pytest.mark.parametrize("on_bad", ["raise", "hold"])
def test_threads_change_no_bit(model, on_bad, tmp_path):
    """So many streams that their steps are shared among threads."""
    many = 9001
    x = models.noise(3 * many).reshape(3, many, 3)
    keys = np.random.default_rng(3).permutation(many).tolist()
    pools = [StreamPool(model, on_bad=on_bad, threads=n) for n in (1, 2, 3)]
    wanted, *others = (np.array([pool.step(keys, rows) for rows in x[:2]]) for pool in pools)
    assert all(np.array_equal(wanted, found) for found in others)
    bad = x[2].copy()
    bad[-1, 0] = np.nan
    before = [pool._arena.rows.take(slice(None)) for pool in pools]
    if on_bad == "raise":
        for pool, rows in zip(pools, before, strict=True):
            with pytest.raises(ValueError, match=f"row {many - 1}: 'x' must be finite"):
                pool.step(keys, bad)
            after = pool._arena.rows.take(slice(None))
            assert all(np.array_equal(rows[k], after[k], equal_nan=True) for k in rows)
    else:
        first, *rest = (pool.step(keys, bad) for pool in pools)
        assert all(np.array_equal(first, y) for y in rest)
    pools[0].save(tmp_path / "p.state")
    back = StreamPool.load(tmp_path / "p.state", model, on_bad=on_bad, threads=2)
    assert np.array_equal(back.step(keys, x[2]), pools[0].step(keys, x[2]))


def test_pools_of_several_threads_at_once(model):
    """Each pool in a thread of its own."""
    x, keys = models.noise(9001), range(9001)
    expected = StreamPool(model).step(keys, x)
    with ThreadPoolExecutor(2) as threads:
        pools = [StreamPool(model, threads=2) for _ in range(2)]
        for found in threads.map(lambda pool: pool.step(keys, x), pools):
            assert np.array_equal(found, expected)


def test_threads_are_counted(model):
    for wrong in (0, -2, 257):
        with pytest.raises(ValueError, match="threads must be 1 to 256"):
            StreamPool(model, threads=wrong)


def test_a_second_thread_is_refused(model):
    pool, inside, go = StreamPool(model), threading.Event(), threading.Event()
    run = pool._run

    def slow(*given):
        inside.set()
        go.wait(10)
        run(*given)

    pool._run = slow
    thread = threading.Thread(target=pool.step, args=(["a"], models.noise(1)))
    thread.start()
    inside.wait(10)
    try:
        for use in (
            lambda: pool.step(["a"], models.noise(1)),
            lambda: pool.evict(idle_steps=1),
            pool.state,
        ):
            with pytest.raises(RuntimeError, match="pool: must be used by one thread at a time"):
                use()
    finally:
        go.set()
        thread.join()
    assert pool.count("a") == 1
