"""One stream: the same numbers however it is fed, and nothing bad in its state."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stream_models as models
from elman_runtime import load
from elman_runtime.pool import StreamPool
from elman_runtime.program import evaluate
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


def steps(stream, x):
    return np.array([stream.step(row) for row in x])


def test_a_stream_is_the_program(model):
    x = models.noise(30)
    (whole,), _ = evaluate(model.programs["step"], model.tensors, model.tapes, (x[None],))
    stream = Stream(model)
    assert stream.program == "step"
    assert stream.delay == 0
    assert stream.window is None
    assert [port.name for port in stream.inputs] == ["x"]
    np.testing.assert_allclose(steps(stream, x), whole[0], rtol=1e-5, atol=1e-6)
    assert stream.count == 30


def test_it_opens_a_path_and_a_program_by_name(model, tmp_path):
    path = models.gru(tmp_path / "m.safetensors")
    x = models.noise(3)
    assert np.array_equal(Stream(path).push(x), Stream(model).push(x))
    with pytest.raises(ValueError, match=r"'main' must give its outputs as inputs come.*'step'"):
        Stream(model, "main")
    with pytest.raises(ValueError, match=r"one of the model's \(main, step\); got 'stepp'"):
        Stream(model, "stepp")
    with pytest.raises(ValueError, match="no reverse direction"):
        Stream(models.backward(tmp_path / "b.safetensors"))


@settings(max_examples=20)
@given(cuts=st.lists(st.integers(0, 25), max_size=6))
def test_cuts_do_not_change_a_bit(model, cuts):
    x = models.noise(25)
    expected = steps(Stream(model), x)
    stream, found, at = Stream(model), [], 0
    for cut in [*sorted(cuts), 25]:
        found.append(stream.push(x[at:cut]))
        at = cut
    assert np.array_equal(np.concatenate(found), expected)
    assert stream.count == 25


def test_replays_and_forks_go_on_bit_for_bit(model):
    x = models.noise(20)
    stream = Stream(model)
    steps(stream, x[:8])
    twin, kept = stream.fork(), stream.state(note={"offset": 8})
    expected = steps(stream, x[8:])
    assert np.array_equal(twin.push(x[8:]), expected)
    assert twin.state() == stream.state()
    other = Stream(model)
    assert other.restore(kept) == {"offset": 8} == other.note
    assert other.count == 8
    assert np.array_equal(other.output(), Stream(model).push(x[:8])[-1])
    assert np.array_equal(steps(other, x[8:]), expected)
    other.reset()
    assert other.count == 0
    assert np.array_equal(steps(other, x[:8]), Stream(model).push(x[:8]))


def test_float64_models_stream_in_float64(tmp_path):
    stream = Stream(models.gru(tmp_path / "m.safetensors", dtype=np.float64))
    assert stream.step(np.zeros(3)).dtype == np.float64


def test_out_is_written_and_refused_before_anything_changes(model):
    x, stream = models.noise(4), Stream(model)
    out = np.empty(2, np.float32)
    assert stream.step(x[0], out=out) is out
    block = np.empty((3, 2))  # a wider dtype will do
    assert stream.push(x[1:], out=block) is block
    expected = Stream(model).push(x)
    assert np.array_equal(out, expected[0])
    assert np.array_equal(block, expected[1:])
    before = stream.state()
    for wrong, error in (
        (np.empty(3, np.float32), ValueError),
        (np.empty((2, 1), np.float32), ValueError),
        (np.empty(2, np.int64), TypeError),
        ([0.0, 0.0], TypeError),
    ):
        with pytest.raises(error, match=r"out: 'y' must be a writable array \(2,\)"):
            stream.step(x[0], out=wrong)
    with pytest.raises(ValueError, match="out: 'y'"):
        stream.push(x, out=np.empty((3, 2), np.float32))
    assert stream.state() == before


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        (np.zeros(4), ValueError, r"'x' must have shape \(3\); got \(4,\)"),
        (np.zeros((1, 3)), ValueError, "must have shape"),
        (0.0, ValueError, "must have shape"),
        (["a", "b", "c"], TypeError, "must be numbers"),
        (np.zeros(3, complex), TypeError, "must be numbers; got complex128"),
        ({"z": np.zeros(3)}, ValueError, "must have the names x; got z"),
        (NAN, ValueError, r"'x' must be finite; got nan at \(0,\); .*on_bad"),
        ([0, 1e39, 0], ValueError, r"must be finite; got inf at \(1,\)"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_changes(model, x, error, words):
    stream = Stream(model)
    stream.step(np.ones(3))
    before = stream.state()
    with pytest.raises(error, match=words):
        stream.step(x)
    assert stream.state() == before
    assert np.array_equal(stream.step([1, 0, 1]), Stream(model).push([[1, 1, 1], [1, 0, 1]])[1])


def test_a_bad_row_of_a_block_is_named_and_nothing_is_taken(model):
    x = models.noise(9)
    x[4, 2] = np.inf
    stream = Stream(model)
    with pytest.raises(ValueError, match=r"row 4 of the block: 'x' must be finite; got inf at \(2"):
        stream.push(x)
    assert stream.count == 0
    with pytest.raises(ValueError, match="on_bad must be one of raise, hold, skip; got 'ignore'"):
        Stream(model, on_bad="ignore")


BAD = [(), (0,), (0, 1, 2), (3,), (3, 4, 8), tuple(range(9))]


@pytest.mark.parametrize("where", BAD, ids=str)
@pytest.mark.parametrize("feed", [steps, Stream.push], ids=["step", "push"])
def test_hold_takes_the_last_good_observation_again(model, where, feed):
    x = models.noise(9)
    good = x.copy()
    x[list(where), 1] = np.nan
    stream = Stream(model, on_bad="hold")
    found = feed(stream, x)
    first = next((k for k in range(9) if k not in where), 9)
    for k in range(first + 1, 9):
        good[k] = good[k - 1] if k in where else good[k]
    assert np.isnan(found[:first]).all()
    assert np.array_equal(found[first:], Stream(model).push(good[first:]))
    assert (stream.count, stream.bad) == (9, len(where))


@pytest.mark.parametrize("where", BAD, ids=str)
@pytest.mark.parametrize("feed", [steps, Stream.push], ids=["step", "push"])
def test_skip_leaves_the_state_and_gives_the_last_output_again(model, where, feed):
    x = models.noise(9)
    x[list(where), 1] = np.inf
    stream = Stream(model, on_bad="skip")
    found = feed(stream, x)
    kept = [k for k in range(9) if k not in where]
    plain = Stream(model)
    for k, row in enumerate(found):
        if k in kept:
            last = plain.step(x[k])
        expected = last if any(j <= k for j in kept) else np.full(2, np.nan)
        assert np.array_equal(row, expected, equal_nan=True)
    assert (stream.count, stream.bad) == (9, len(where))


def test_what_is_held_travels_with_the_state(model):
    x = models.noise(3)
    for on_bad in ("hold", "skip"):
        stream = Stream(model, on_bad=on_bad)
        stream.push(x)
        other = Stream(model, on_bad=on_bad)
        other.restore(stream.state())
        assert np.array_equal(other.step(NAN), stream.step(NAN))
    # One that did not keep its input has none to hold, however old one was.
    held = Stream(model, on_bad="hold")
    held.push(x)
    plain = Stream(model)
    plain.restore(held.state())
    plain.step(x[0])
    held.restore(plain.state())
    assert np.array_equal(held.step(NAN), plain.output())


def test_several_inputs_and_outputs(several):
    x, words = models.noise(6), np.array([3, 0, 10, 3, 5, 1])
    stream = Stream(several)
    rows = [stream.step((int(w), v)) for w, v in zip(words, x, strict=True)]
    y, squashed = Stream(several).push({"x": x, "token": words})
    assert np.array_equal([r[0] for r in rows], y)
    assert np.array_equal([r[1] for r in rows], squashed)
    out = np.empty(2, np.float32), np.empty(models.UNITS, np.float32)
    assert Stream(several).step((words[0], x[0]), out=out) is out
    assert np.array_equal(out[1], squashed[0])
    before = stream.state()
    for token, error in ((11, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError)):
        with pytest.raises(error, match="'token' must be"):
            stream.step((token, x[0]))
    with pytest.raises(ValueError, match=r"tuple or dict of 2 \(token, x\)"):
        stream.step(x[0])
    with pytest.raises(ValueError, match="equally many"):
        stream.push((words, x[1:]))
    assert stream.state() == before
    held = Stream(several, on_bad="hold")
    held.step((3, x[0]))
    again = Stream(several)
    again.step((3, x[0]))
    # The whole observation is held, not the one input of it that was bad.
    assert np.array_equal(held.step((5, NAN))[0], again.step((3, x[0]))[0])


def test_a_window_is_fed_one_at_a_time_and_forecasts_at_any_moment(window):
    x = models.noise(12, models.SERIES)
    program, length = window.programs["main"], models.WINDOW
    stream = Stream(window)
    assert stream.window == length
    for k, row in enumerate(x):
        assert stream.missing == max(0, length - k)
        found = stream.step(row)
        if k + 1 < length:
            assert np.isnan(found).all()
            with pytest.raises(ValueError, match=f"after 5 good .* feed {length - k - 1} more"):
                stream.output()
        else:
            batch = x[None, k + 1 - length : k + 1]
            (expected,), _ = evaluate(program, window.tensors, window.tapes, (batch,))
            assert np.array_equal(found, expected[0])
            assert np.array_equal(stream.output(), found)
    fed = Stream(window)
    fed.feed(x[:7])
    fed.feed(x[7:])
    assert np.array_equal(fed.output(), found)
    assert np.array_equal(Stream(window).push(x)[-1], found)
    twin = fed.fork()
    assert np.array_equal(twin.step(x[0]), fed.step(x[0]))


def test_a_window_skips_and_holds(window):
    x = models.noise(8, models.SERIES)
    bad = np.full(models.SERIES, np.nan, np.float32)
    for on_bad, expected in (("skip", x), ("hold", np.concatenate([x, x[-1:]]))):
        stream = Stream(window, on_bad=on_bad)
        stream.feed(x)
        plain = Stream(window)
        plain.feed(expected)
        assert np.array_equal(stream.step(bad), plain.output())
        again = Stream(window, on_bad=on_bad)
        assert np.array_equal(again.push(np.concatenate([x, bad[None]]))[-1], plain.output())
    late = Stream(window, on_bad="skip")
    late.step(bad)
    assert late.missing == models.WINDOW


def test_a_window_that_was_fed_skips_with_the_output_of_now(window):
    x = models.noise(9, models.SERIES)
    stream = Stream(window, on_bad="skip")
    stream.feed(x[:8])
    bad = np.full((1, models.SERIES), np.nan, np.float32)
    plain = Stream(window)
    plain.feed(x[:8])
    found = stream.push(np.concatenate([bad, x[8:]]))
    assert np.array_equal(found[0], plain.output())
    assert np.array_equal(found[1], plain.step(x[8]))
    # What a pool takes over from a stream that was fed is not older.
    stream.feed(x[:3])
    pool = StreamPool(window, on_bad="skip")
    pool.restore_to("a", stream.state())
    assert np.array_equal(pool.step(["a"], bad)[0], stream.output())


def test_a_fed_stream_knows_its_last_output(model):
    x = models.noise(5)
    stream = Stream(model)
    with pytest.raises(ValueError, match="feed 1 more"):
        stream.output()
    stream.feed(x)
    assert np.array_equal(stream.output(), Stream(model).push(x)[-1])
    assert stream.push(x[:0]).shape == (0, 2)
    assert stream.count == 5
