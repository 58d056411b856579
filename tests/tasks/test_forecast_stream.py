"""A forecaster as a stream: what it says after each value is what `predict` says of the same."""

import numpy as np
import pytest

from elman.tasks.forecast import Forecaster
from elman.tasks.forecasting.streaming import model_of
from elman_runtime.model import write_model
from elman_runtime.stream import Stream


def table(series):
    return {
        "unique_id": [name for name, y in series.items() for _ in y],
        "ds": [t for y in series.values() for t in range(len(y))],
        "y": [float(v) for y in series.values() for v in y],
    }


def wave(size, level=50.0, grows=0.0, seed=0):
    t = np.arange(size)
    noise = np.random.default_rng(seed).normal(0, 0.4, size)
    return (level + 8 * np.sin(2 * np.pi * t / 12) + noise) * np.exp(grows * t)


def fitted(series, **more):
    settings = {"season": 12, "hidden": 8, "steps": 4, "window": 24, "segment": 4} | more
    return Forecaster(6, **settings).fit(table(series))


def compared(forecaster, name, y, more):
    """Streamed and predicted from the end of `y`, to which `more` comes."""
    stream = forecaster.stream(name)
    for value in more:
        stream.step(np.array([value]))
    whole = np.concatenate([y, more])
    told = forecaster.predict(table({name: whole}))
    columns = [port.name for port in stream.outputs]
    made = stream.output()
    made = made if isinstance(made, tuple) else (made,)
    return {c: (value, told[c].to_numpy()) for c, value in zip(columns, made, strict=True)}


@pytest.mark.parametrize(
    "more",
    [
        {"transform": "none"},
        {"transform": "log"},
        {"transform": "none", "support": "nonnegative"},
        {"ensemble": 2, "level": (80,)},
        {"level": ()},
    ],
    ids=str,
)
def test_a_stream_forecasts_what_predict_forecasts(more):
    y = wave(220, grows=0.004)
    found = compared(fitted({"a": y}, **more), "a", y, wave(9, level=120.0, seed=3))
    levels = more.get("level", (80, 95))
    assert next(iter(found)) == "elman"
    assert len(found) == 1 + 2 * len(levels)
    for streamed, told in found.values():
        np.testing.assert_allclose(streamed, told, rtol=2e-5)


def test_each_series_has_its_own_scale():
    series = {"a": wave(200), "b": 1e6 * wave(200, seed=1)}
    forecaster = fitted(series, transform="none")
    for name, y in series.items():
        for streamed, told in compared(forecaster, name, y, y[-7:]).values():
            np.testing.assert_allclose(streamed, told, rtol=2e-5)


def test_the_start_is_the_forecast_of_the_fit_and_a_file_says_the_same(tmp_path):
    forecaster = fitted({"a": wave(200)})
    stream = forecaster.stream()
    told = forecaster.predict()["elman"].to_numpy()
    np.testing.assert_allclose(stream.output()[0], told, rtol=2e-5)
    assert stream.window == 24
    model = model_of(forecaster.fitted, forecaster.settings, None)
    path = tmp_path / "a.safetensors"
    write_model(path, model.programs, model.tapes, model.tensors, "Forecaster", model.settings)
    again = Stream(path)
    again.push(wave(200)[-24:, None])
    np.testing.assert_array_equal(again.output()[0], stream.output()[0])


def test_what_a_stream_cannot_do_is_refused():
    forecaster = fitted({"a": wave(200), "b": wave(200)})
    with pytest.raises(ValueError, match="series must be one of 'a', 'b'; got None"):
        forecaster.stream()
    with pytest.raises(ValueError, match="got 'c'"):
        forecaster.stream("c")
    counts = {"a": np.rint(wave(200))}
    with pytest.raises(ValueError, match="not rounded"):
        fitted(counts, support="integer").stream()


def test_another_cell_streams_too():
    y = wave(200)
    for streamed, told in compared(fitted({"a": y}, cell="LSTM", layers=2), "a", y, y[:5]).values():
        np.testing.assert_allclose(streamed, told, rtol=2e-5)
