"""Each check of the contract fails when the promise it guards is broken on purpose."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

import elman.engine.reference
import elman.nn.recurrent
from elman import state as states
from elman.cells import GRU, LSTM, Cell
from elman.engine import Call, Result, native_plain, select, use
from elman.ops import tanh
from elman.testing.case import SIZES, SMALL, Case
from elman.testing.contract import EVERY_SIZE, SMOOTH


class Leaky(Cell):
    gates = ("n",)
    state = ("h", "c")

    def update(x, u, s, p):
        c = 0.9 * s.c + 0.1 * tanh(x.n + u.n)
        return tanh(c), c


def run_check(name: str, cell: type[Cell]) -> None:
    for size in (SMALL,) if name in SMOOTH else SIZES:
        torch.manual_seed(0)
        for _ in (EVERY_SIZE | SMOOTH)[name](Case(cell, size, torch.float64)):
            pass


honest = elman.engine.reference.run
honest_step = elman.engine.reference.step


def late_in_reverse(call: Call) -> Result:
    if call.reverse and call.reset is not None:
        call = replace(call, reset=call.reset.roll(-1, 1))
    return honest(call)


def early_in_reverse(call: Call) -> Result:
    if call.reverse and call.reset is not None:
        call = replace(call, reset=call.reset.roll(1, 1))
    return honest(call)


def first_reset_missed(call: Call) -> Result:
    if call.reset is not None:
        reset = call.reset.clone()
        reset[:, 0] = False
        call = replace(call, reset=reset)
    return honest(call)


def reset_to_zero(call: Call) -> Result:
    if call.start is not None:
        call = replace(call, start=states.map_leaves(torch.zeros_like, call.start))
    return honest(call)


def reset_to_what_was_passed_in(call: Call) -> Result:
    return honest(call if call.start is None else replace(call, start=call.state))


def runs_on(call: Call) -> Result:
    found = honest(replace(call, lengths=None))
    valid = call.valid
    if valid is not None:
        found = found._replace(output=found.output.masked_fill(~valid[..., None], 0.0))
    return found


def padding_kept_in_outputs(call: Call) -> Result:
    return honest(replace(call, lengths=None))._replace(state=honest(call).state)


def one_state_not_carried(call: Call) -> Result:
    found, on = honest(call), honest(replace(call, lengths=None))
    return found._replace(state=found.state._replace(c=on.state.c))


def forwards_only(call: Call) -> Result:
    return honest(replace(call, reverse=False))


def state_ignored(call: Call) -> Result:
    return honest(replace(call, state=states.map_leaves(torch.zeros_like, call.state)))


def state_cut_from_the_graph(call: Call) -> Result:
    return honest(replace(call, state=states.detach(call.state)))


def single_precision(call: Call) -> Result:
    return honest(replace(call, x=call.x.float().double()))


def one_wrong_gradient(call: Call) -> Result:
    found = honest(call)
    output = found.output + 0.01 * (call.x.sum() - call.x.sum().detach())
    return found._replace(output=output)


ENGINES = [
    (late_in_reverse, "documents"),
    (early_in_reverse, "documents"),
    (first_reset_missed, "documents"),
    (reset_to_zero, "documents"),
    (reset_to_what_was_passed_in, "documents"),
    (runs_on, "lengths"),
    (padding_kept_in_outputs, "lengths"),
    (one_state_not_carried, "lengths"),
    (forwards_only, "directions"),
    (state_ignored, "blocks"),
    (state_cut_from_the_graph, "finite differences"),
    (single_precision, "numpy"),
    (one_wrong_gradient, "finite differences"),
]


@pytest.mark.parametrize(("broken", "check"), [pytest.param(*e, id=e[0].__name__) for e in ENGINES])
def test_a_broken_engine(monkeypatch, broken: Callable[[Call], Result], check: str) -> None:
    run_check(check, Leaky)
    for engine in ("reference", "native"):
        monkeypatch.setitem(select._RUN, engine, broken)
    with pytest.raises(AssertionError):
        run_check(check, Leaky)


@pytest.mark.parametrize("engine", ["reference", "native"])
@pytest.mark.parametrize("cell", [Leaky, LSTM])
def test_padding_not_cleared(monkeypatch, cell, engine) -> None:
    monkeypatch.setattr(elman.nn.recurrent, "clear", lambda x, lengths: x)
    # The native engine's own products do not read what lies beyond a length: torch's do.
    monkeypatch.setattr(native_plain, "fits", lambda _: False)
    with use(engine), pytest.raises(AssertionError):
        run_check("padding", cell)


def test_state_dropout_of_the_state_itself(monkeypatch) -> None:
    def broken(cell, x, s, p, weights, *, state_mask=None, keep=None, clip=None):
        s = s if state_mask is None else s._replace(h=s.h * state_mask)
        return honest_step(cell, x, s, p, weights, keep=keep)

    run_check("regularisation", GRU)
    monkeypatch.setattr(elman.engine.reference, "step", broken)
    with pytest.raises(AssertionError):
        run_check("regularisation", GRU)


def test_output_read_before_zoneout(monkeypatch) -> None:
    def broken(cell, x, s, p, weights, *, state_mask=None, keep=None, clip=None):
        y, _ = honest_step(cell, x, s, p, weights, state_mask=state_mask)
        return y, honest_step(cell, x, s, p, weights, state_mask=state_mask, keep=keep)[1]

    monkeypatch.setattr(elman.engine.reference, "step", broken)
    with pytest.raises(AssertionError):
        run_check("regularisation", GRU)


def test_zoneout_of_the_projected_state_left_out(monkeypatch) -> None:
    def broken(cell, x, s, p, weights, *, state_mask=None, keep=None, clip=None):
        keep = keep and (1.0, *keep[1:])
        return honest_step(cell, x, s, p, weights, state_mask=state_mask, keep=keep)

    monkeypatch.setattr(elman.engine.reference, "step", broken)
    with pytest.raises(AssertionError):
        run_check("regularisation", LSTM)


def test_projection_taken_where_update_reads_the_state(monkeypatch) -> None:
    monkeypatch.setattr("elman.engine.output_width", lambda cell, hidden, first: first)
    with pytest.raises(AssertionError, match=r"was taken, though update reads s\.h"):
        run_check("projection", GRU)


@pytest.mark.parametrize("part", ["output", "state"])
def test_an_engine_that_disagrees(monkeypatch, part) -> None:
    fast = select._RUN["torch"]

    def broken(call: Call) -> Result:
        found = fast(call)
        if part == "output":
            return found._replace(output=found.output * (1 + 1e-9))
        return found._replace(state=states.map_leaves(lambda t: t * (1 + 1e-9), found.state))

    run_check("engines", LSTM)
    monkeypatch.setitem(select._RUN, "torch", broken)
    with pytest.raises(AssertionError, match="torch, "):
        run_check("engines", LSTM)


def test_the_state_changed_by_no_steps(monkeypatch) -> None:
    honest_call = select._no_steps

    def broken(call: Call) -> Result:
        found = honest_call(call)
        return found._replace(state=states.map_leaves(lambda t: t + 1e-12, found.state))

    monkeypatch.setattr(select, "_no_steps", broken)
    with pytest.raises(AssertionError, match="T = 0: final state"):
        run_check("no steps", Leaky)
