"""Which engine runs a call, and what is said about it."""

import threading
import warnings

import pytest
import torch

from elman import engine, nn
from elman.cells import GRU, LSTM, RNN, Cell
from elman.engine import EngineUnavailable, SlowPathWarning, explain, native_plain, select, use
from elman.nn import Recurrent
from elman.ops import tanh

B, T, I, H = 2, 4, 3, 5  # noqa: E741
X = torch.zeros(B, T, I)
RESET = torch.zeros(B, T, dtype=torch.bool)


class Leaky(Cell):
    gates = ("n",)

    def update(x, u, s, p):
        return 0.9 * s.h + 0.1 * tanh(x.n + u.n)


@pytest.fixture(autouse=True)
def nothing_said_yet(monkeypatch) -> None:
    monkeypatch.setattr(select, "_warned", set())


# --- explain -------------------------------------------------------------------------------------


def test_each_engine_has_a_verdict_the_fastest_first_and_one_is_chosen() -> None:
    told = explain(Recurrent(GRU, I, H), X)
    assert [v.engine for v in told] == list(engine.ENGINES)
    assert told.chosen == "native"
    assert str(told).splitlines() == [
        "-> native: GRU runs as compiled code",
        "   torch: GRU runs in oneDNN or ATen on the CPU",
        "   reference: runs every cell and option, as a loop of torch operators",
    ]


@pytest.mark.parametrize(
    ("cell", "options", "call", "reason"),
    [
        (Leaky, {}, {}, "ATen has no Leaky, only RNN, RNNReLU, GRU and LSTM"),
        (GRU, {}, {"reset": RESET}, "ATen cannot reset a state inside a sequence"),
        (GRU, {"state_dropout": 0.1}, {}, "ATen has no state dropout"),
        (GRU, {"zoneout": 0.1}, {}, "ATen has no zoneout"),
        (RNN, {"proj_size": 2}, {}, "ATen projects the state of an LSTM only"),
        (LSTM, {}, {"states": True}, "ATen returns c for the last step alone"),
    ],
)
def test_why_not_torch(cell, options, call, reason) -> None:
    layer = Recurrent(cell, I, H, **options)
    told = explain(layer, X, **call)
    assert told.chosen == "native"
    verdict = next(v for v in told if v.engine == "torch")
    assert verdict == ("torch", False, reason, verdict.repair)
    assert f"   torch: {reason}\n" in str(told)
    with use("torch"), pytest.raises(EngineUnavailable, match=reason):
        layer(X, **call)


@pytest.mark.parametrize(
    ("cell", "options", "call"),
    [
        (LSTM, {"proj_size": 2}, {}),
        (GRU, {"weight_drop": 0.1, "dropout": 0.1}, {}),
        (GRU, {}, {"states": True}),
        (LSTM, {"bidirectional": True}, {"lengths": [T, 0]}),
    ],
)
def test_what_torch_runs(cell, options, call) -> None:
    layer = Recurrent(cell, I, H, 2, **options)
    assert {v.engine for v in explain(layer, X, **call) if v.runs} == set(engine.ENGINES)
    with use("torch"):
        layer(X, **call)


def test_dropout_of_the_state_concerns_training_alone() -> None:
    layer = Recurrent(GRU, I, H, state_dropout=0.1)
    assert not explain(layer, X)[1].runs
    assert explain(layer.eval(), X)[1].runs


HALF = torch.bfloat16


def test_where_the_native_engine_does_not_run() -> None:
    half = Recurrent(GRU, I, H, dtype=HALF)
    told = explain(half, X.to(HALF))
    assert told.chosen == "torch"
    assert told[0].reason == "it knows float32 and float64, one of them for everything"
    with use("native"), pytest.raises(EngineUnavailable, match="knows float32 and float64"):
        half(X.to(HALF))


def test_a_plain_lstm_is_onednn_s_on_one_thread(threads) -> None:
    threads(1)
    layer, x = Recurrent(LSTM, I, H), torch.zeros(9, T, I)
    with torch.no_grad():
        assert explain(layer, x).chosen == "torch"
    assert explain(layer, x, lengths=[T] * 9).chosen == "native"
    assert explain(layer, x, reset=torch.zeros(9, T, dtype=torch.bool)).chosen == "native"
    assert explain(layer.double(), x.double()).chosen == "native"


@pytest.mark.parametrize(
    ("count", "learns", "leads", "rows", "units", "chosen"),
    [
        (1, True, False, 1, 5, "native"),
        (1, False, False, 4, 64, "native"),
        (1, False, False, 5, 64, "torch"),
        (1, True, False, 8, 64, "native"),
        (1, False, False, 8, 512, "native"),
        (1, True, False, 9, 512, "torch"),
        (1, True, True, 9, 512, "native"),
        (1, False, True, 9, 512, "torch"),
        (2, True, False, 64, 512, "native"),
        (2, False, False, 8, 600, "native"),
        (2, False, False, 32, 300, "native"),
        (2, False, False, 33, 248, "native"),
        (2, False, False, 33, 249, "torch"),
        (2, False, True, 33, 249, "native"),
    ],
)
def test_whose_a_plain_lstm_is_goes_by_its_size_and_the_processor(
    threads, count, learns, leads, rows, units, chosen, monkeypatch
) -> None:
    threads(count)
    monkeypatch.setattr(native_plain, "LEADS", leads)
    layer, drop_in = Recurrent(LSTM, I, units), nn.LSTM(I, units)
    x = torch.zeros(T, rows, I)
    with torch.set_grad_enabled(learns):
        assert explain(layer, x.transpose(0, 1)).chosen == chosen
        assert explain(drop_in, x).chosen == chosen
        assert drop_in._in_aten(x) == (chosen == "torch")


def test_one_step_of_what_aten_has_runs_there() -> None:
    assert explain(Recurrent(GRU, I, H), X[:, :1]).chosen == "torch"
    assert explain(Recurrent(Leaky, I, H), X[:, :1]).chosen == "native"


def test_explaining_checks_arguments_as_a_call_does() -> None:
    with pytest.raises(ValueError, match="x must be"):
        explain(Recurrent(GRU, I, H), X[0])


# --- forcing -------------------------------------------------------------------------------------


def test_a_forced_engine_that_cannot_run_says_why_and_what_to_do() -> None:
    layer = Recurrent(GRU, I, H, engine="torch")
    with pytest.raises(EngineUnavailable) as caught:
        layer(X, reset=RESET)
    assert str(caught.value) == (
        "engine 'torch' was asked for and cannot run this: ATen cannot reset a state inside a "
        "sequence. Either pass each document as a row, or leave engine=None."
    )


def test_an_unknown_engine() -> None:
    with (
        pytest.raises(
            ValueError, match="must be one of native, torch, reference or None, got 'fast'"
        ),
        use("fast"),
    ):
        pass


def engine_of(layer: Recurrent, monkeypatch) -> str:
    """Which engine a call of the layer runs in."""
    ran = []
    for name, run in list(select._RUN.items()):
        honest = getattr(run, "honest", run)

        def noted(call, name=name, honest=honest):
            ran.append(name)
            return honest(call)

        noted.honest = honest
        monkeypatch.setitem(select._RUN, name, noted)
    compiled = getattr(native_plain.layer, "honest", native_plain.layer)

    def straight(*given):
        ran.append("native")
        return compiled(*given)

    straight.honest = compiled
    monkeypatch.setattr(native_plain, "layer", straight)
    layer(X)
    return ran[0]


def test_use_forces_every_layer_within_and_none_after(monkeypatch) -> None:
    layer = Recurrent(GRU, I, H)
    assert engine_of(layer, monkeypatch) == "native"
    with use("reference"):
        assert engine_of(layer, monkeypatch) == "reference"
        with use("torch"):
            assert engine_of(layer, monkeypatch) == "torch"
        with use(None):
            assert engine_of(layer, monkeypatch) == "native"
        assert engine_of(layer, monkeypatch) == "reference"
    assert engine_of(layer, monkeypatch) == "native"


def test_a_layers_own_engine_goes_before(monkeypatch) -> None:
    layer = Recurrent(GRU, I, H, engine="reference")
    assert engine_of(layer, monkeypatch) == "reference"
    with use("torch"):
        assert engine_of(layer, monkeypatch) == "reference"


def test_use_is_undone_after_an_exception(monkeypatch) -> None:
    with pytest.raises(RuntimeError, match="stop"), use("reference"):
        raise RuntimeError("stop")
    assert engine_of(Recurrent(GRU, I, H), monkeypatch) == "native"


def test_use_is_of_its_own_thread() -> None:
    seen = []

    def look() -> None:
        seen.append(select.forced_engine())
        with use("torch"):
            seen.append(select.forced_engine())

    with use("reference"):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        seen.append(select.forced_engine())
    assert seen == [None, "torch", "reference"]


# --- warnings ------------------------------------------------------------------------------------


def said(*calls) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for layer, options in calls:
            layer(X, **options)
    assert all(w.category is SlowPathWarning for w in caught)
    return [str(w.message) for w in caught]


def test_a_slower_engine_is_said_once_for_each_cell_and_reason(monkeypatch) -> None:
    monkeypatch.setattr("elman_runtime.native.available", False)
    gru, lstm = Recurrent(GRU, I, H), Recurrent(LSTM, I, H)
    messages = said((gru, {}), (gru, {}), (lstm, {}), (lstm, {"reset": RESET}))
    without = "elman-runtime was installed without its compiled module"
    assert [m.split(".")[0] for m in messages] == [
        f"GRU runs in a slower engine: {without}",
        f"LSTM runs in a slower engine: {without}",
        "LSTM runs in a slower engine: ATen cannot reset a state inside a sequence",
    ]
    assert "For speed, install a C++ compiler." in messages[0]
    assert said((Recurrent(RNN, I, H, zoneout=0.1), {})) != []


def test_nothing_is_said_where_the_native_engine_runs() -> None:
    assert said((Recurrent(LSTM, I, H), {"reset": RESET}), (Recurrent(GRU, I, H), {})) == []


def test_nothing_is_said_where_there_is_no_faster_engine_or_one_is_forced() -> None:
    with use("reference"):
        assert said((Recurrent(GRU, I, H), {"reset": RESET})) == []
    assert said((Recurrent(Leaky, I, H), {}), (Recurrent(GRU, I, H), {})) == []
