"""`check_engine`: every built-in cell passes, and an engine that is wrong in any way fails."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from elman import state as states
from elman.cells import GRU, LSTM, RNN, IndRNN, MinGRU, builtin
from elman.engine import Call, EngineUnavailable, Result, native, select
from elman.testing import CellCheckFailed, check_engine
from elman_runtime import native as compiled

pytestmark = pytest.mark.skipif(
    not compiled.available, reason="elman-runtime was installed without its compiled module"
)
SETS = compiled.engines()


@pytest.mark.parametrize("name", sorted(builtin()))
def test_every_cell_in_every_instruction_set(name) -> None:
    report = check_engine(cells=[builtin()[name]])
    assert report.worst <= 1
    assert report[name].notes == tuple(SETS)
    assert report[name].compared > 1000


def test_aten() -> None:
    report = check_engine("torch", cells=[LSTM])
    assert str(report).startswith("torch: 1 checks passed")
    assert report.worst <= 1
    why = "ATen returns c for the last step alone"
    assert f"states of ragged rows: not run, {why}" in report["LSTM"].notes


@pytest.mark.parametrize("cell", [RNN, GRU])
def test_aten_with_one_state(cell) -> None:
    assert check_engine("torch", cells=[cell]).worst <= 1


def test_nothing_is_changed_by_a_check() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    check_engine(cells=[MinGRU], dtypes=[torch.float32], instruction_sets=SETS[:1])
    assert torch.equal(torch.rand(2), expected)
    assert torch.get_num_threads() == 1
    assert not torch.are_deterministic_algorithms_enabled()
    assert compiled.instruction_set() == ""


# --- engines that are wrong ----------------------------------------------------------------------

Broken = Callable[[Call], Result]
honest = native.run


def slightly(x: torch.Tensor) -> torch.Tensor:
    """Another number, as near as there is one."""
    return torch.nextafter(x.detach(), torch.full_like(x, torch.inf)) - x.detach() + x


def output_off(call: Call) -> Result:
    found = honest(call)
    return found._replace(output=found.output * (1 + 3e-5))


def final_state_off(call: Call) -> Result:
    found = honest(call)
    return found._replace(state=states.map_leaves(lambda s: s * (1 + 3e-5), found.state))


def every_state_off(call: Call) -> Result:
    found = honest(call)
    return found._replace(states=call.states and states.map_leaves(lambda s: s * 1.1, found.states))


def single_precision(call: Call) -> Result:
    return honest(replace(call, x=call.x.float().to(call.x.dtype)))


def no_gradient_of_x(call: Call) -> Result:
    return honest(replace(call, x=call.x.detach()))


def no_gradient_of_the_state(call: Call) -> Result:
    return honest(replace(call, state=states.detach(call.state)))


def no_gradient_of_a_bias(call: Call) -> Result:
    bias = call.weights.bias_hh
    weights = replace(call.weights, bias_hh=None if bias is None else bias.detach())
    return honest(replace(call, weights=weights))


def twice_the_gradient_of_u(call: Call) -> Result:
    weight = call.weights.weight_hh
    assert weight is not None
    weights = replace(call.weights, weight_hh=2 * weight - weight.detach())
    return honest(replace(call, weights=weights))


def lengths_ignored(call: Call) -> Result:
    return honest(replace(call, lengths=None))


def reset_ignored(call: Call) -> Result:
    return honest(replace(call, reset=None))


def reset_beyond_the_length(call: Call) -> Result:
    if call.reset is not None and call.lengths is not None and call.reverse:
        call = replace(call, reset=call.reset | ~call.valid.roll(-1, 1))
    return honest(call)


def reset_to_zero(call: Call) -> Result:
    if call.start is not None:
        call = replace(call, start=states.map_leaves(torch.zeros_like, call.start))
    return honest(call)


def forwards_only(call: Call) -> Result:
    return honest(replace(call, reverse=False))


def no_state_dropout(call: Call) -> Result:
    return honest(replace(call, state_mask=None))


def no_zoneout(call: Call) -> Result:
    return honest(replace(call, keep=None))


def no_projection(call: Call) -> Result:
    weight = call.weights.weight_hr
    weights = replace(call.weights, weight_hr=None if weight is None else weight.abs())
    return honest(replace(call, weights=weights))


def gradients_of_padding(call: Call) -> Result:
    found, valid = honest(call), call.valid
    if valid is None or call.reverse:
        return found
    on = honest(replace(call, lengths=None))
    return found._replace(output=on.output * valid[..., None])


def one_value_not_written(call: Call) -> Result:
    found = honest(call)
    output = torch.empty_like(found.output)
    if output.numel():
        output.view(-1)[:-1] = found.output.reshape(-1)[:-1]
    return found._replace(output=output)


def a_batch_is_another_sum(call: Call) -> Result:
    found = honest(call)
    return found._replace(output=slightly(found.output)) if len(call.x) > 1 else found


def threads_are_another_sum(call: Call) -> Result:
    found = honest(call)
    return found._replace(output=slightly(found.output)) if torch.get_num_threads() > 1 else found


def rows_mixed(call: Call) -> Result:
    found = honest(call)
    return found._replace(output=found.output + 0 * found.output.sum(0).detach())


def neighbours_in_gradients(call: Call) -> Result:
    x = call.x
    return honest(replace(call, x=x + 1e-20 * (x.sum(0) - x.sum(0).detach())))


IN_BOTH = [
    (output_off, GRU, r"outputs\["),
    (final_state_off, GRU, "final state h of l0"),
    (every_state_off, GRU, "states of every step: outputs"),
    (no_gradient_of_x, GRU, "gradient of x"),
    (no_gradient_of_the_state, GRU, "gradient of state h of l0 passed in"),
    (no_gradient_of_a_bias, GRU, "gradient of bias_hh_l0"),
    (twice_the_gradient_of_u, GRU, "gradient of weight_hh_l0"),
    (lengths_ignored, GRU, "lengths: "),
    (reset_ignored, GRU, "reset: "),
    (reset_beyond_the_length, GRU, "(reset|dropout and zoneout): "),
    (reset_to_zero, LSTM, "learnt initial state: "),
    (forwards_only, GRU, "stacked: "),
    (no_state_dropout, GRU, "dropout and zoneout: "),
    (no_zoneout, GRU, "dropout and zoneout: "),
    (no_projection, LSTM, "projection: "),
    (gradients_of_padding, GRU, "NaN in padding: gradient of "),
    (one_value_not_written, GRU, "got nan, expected "),
    (a_batch_is_another_sum, GRU, r"a row's bits, .*row \d+ alone: outputs"),
    (threads_are_another_sum, GRU, r"a row's bits, .*2 threads instead of 1: outputs"),
    (rows_mixed, GRU, r"a row's bits, .*row \d+ beside NaN: outputs"),
    (neighbours_in_gradients, GRU, r"a row's bits, .*row \d+ beside NaN: "),
]
CASES = [pytest.param(*case, id=case[0].__name__) for case in IN_BOTH]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("broken", "cell", "message"), CASES)
def test_a_wrong_engine(monkeypatch, broken: Broken, cell, message: str, dtype) -> None:
    monkeypatch.setitem(select._RUN, "native", broken)
    kind = str(dtype).removeprefix("torch.")
    where = rf"^native fails on {cell.__name__}, {SETS[-1]}, (?=.*{kind}, B=\d+ T=\d+ I=\d+ H=\d+)"
    with pytest.raises(CellCheckFailed, match=f"{where}.*{message}"):
        check_engine(cells=[cell], dtypes=[dtype], instruction_sets=SETS[-1:])


def test_an_engine_of_single_precision_is_found_in_double(monkeypatch) -> None:
    monkeypatch.setitem(select._RUN, "native", single_precision)
    check_engine(cells=[GRU], dtypes=[torch.float32], instruction_sets=SETS[:1])
    with pytest.raises(CellCheckFailed, match="float64"):
        check_engine(cells=[GRU], instruction_sets=SETS[:1])


@pytest.mark.parametrize("wrong", SETS)
def test_one_wrong_instruction_set_is_named(monkeypatch, wrong) -> None:
    def broken(call: Call) -> Result:
        return output_off(call) if compiled.instruction_set() == wrong else honest(call)

    monkeypatch.setitem(select._RUN, "native", broken)
    with pytest.raises(CellCheckFailed, match=f"^native fails on IndRNN, {wrong}, "):
        check_engine(cells=[IndRNN])


def test_any_other_error_says_what_was_being_checked(monkeypatch) -> None:
    def broken(call: Call) -> Result:
        raise RuntimeError("out of order")

    monkeypatch.setitem(select._RUN, "native", broken)
    with pytest.raises(RuntimeError, match="out of order") as caught:
        check_engine(cells=[GRU], instruction_sets=SETS[:1])
    assert re.match(f"while checking native on GRU, {SETS[0]}, state ", caught.value.__notes__[0])


# --- what it refuses -----------------------------------------------------------------------------


def test_a_call_that_an_engine_does_not_run_is_noted(monkeypatch) -> None:
    monkeypatch.setattr(native, "why_not", lambda call: ("it is Sunday", ""))
    report = check_engine(cells=[GRU])
    assert report["GRU"].compared == 0
    assert "lengths: not run, it is Sunday" in report["GRU"].notes


def test_half_precision_is_not_run() -> None:
    report = check_engine(cells=[GRU], dtypes=[torch.bfloat16])
    assert report["GRU"].compared == 0
    assert all("not run, it knows float32 and float64" in n for n in report["GRU"].notes)


@pytest.mark.errors
@pytest.mark.parametrize("engine", ["reference", "fast", None])
def test_which_engine(engine) -> None:
    with pytest.raises(ValueError, match="engine: must be one of native, torch"):
        check_engine(engine)


@pytest.mark.errors
def test_which_instruction_sets_and_cells() -> None:
    with pytest.raises(ValueError, match=r"instruction_sets: must be of .*, got 'mmx'"):
        check_engine(instruction_sets=["mmx"])
    with pytest.raises(ValueError, match="only the native engine has them, not 'torch'"):
        check_engine("torch", instruction_sets=SETS)
    with pytest.raises(TypeError, match="cells: needs Cell classes, got 'GRU'"):
        check_engine(cells=["GRU"])


def test_without_the_compiled_module(monkeypatch) -> None:
    monkeypatch.setattr(compiled, "available", False)
    monkeypatch.setattr(compiled, "missing_because", "it was left at home")
    with pytest.raises(EngineUnavailable, match="it was left at home"):
        check_engine()
