"""Which engine runs a call: one decision, from types, sizes and options, that explains itself."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

import torch
from torch import Tensor

from elman.cells import LSTM, Cell
from elman.engine import aten, native, native_plain, reference
from elman.engine.call import Call, Result
from elman.engine.native_arguments import seen_by_torch, transformed


class EngineUnavailable(RuntimeError):
    """A forced engine cannot run a call; says why and what to do."""


class SlowPathWarning(UserWarning):
    """A call runs in a slower engine than its cell has; says why and how to mend it."""


class Verdict(NamedTuple):
    """What one engine says to a call."""

    engine: str
    runs: bool
    reason: str
    repair: str = ""


class Explanation(tuple[Verdict, ...]):
    """A verdict of each engine, the fastest first; the first that runs is chosen."""

    @property
    def chosen(self) -> str:
        """The name of the engine that an automatic choice takes."""
        return next(v.engine for v in self if v.runs)

    def __str__(self) -> str:
        rows = (f"{'->' if v.engine == self.chosen else '  '} {v.engine}: {v.reason}" for v in self)
        return "\n".join(rows)


def _aten_verdict(call: Call) -> Verdict:
    def no(reason: str, repair: str = "") -> Verdict:
        return Verdict("torch", False, reason, repair)

    if call.cell not in aten.CELLS:
        return no(f"ATen has no {call.cell.__name__}, only RNN, RNNReLU, GRU and LSTM")
    if call.reset is not None:
        return no("ATen cannot reset a state inside a sequence", "pass each document as a row")
    if call.state_mask is not None:
        return no("ATen has no state dropout", "use weight_drop instead of state_dropout")
    if call.keep is not None:
        return no("ATen has no zoneout", "set zoneout=0, or use dropout")
    if call.weights.weight_hr is not None and call.cell is not LSTM:
        return no("ATen projects the state of an LSTM only", "set proj_size=0")
    if call.states and len(call.cell.state) > 1:
        return no("ATen returns c for the last step alone", "ask for states=True only to look")
    if call.clip is not None:
        return no("ATen gives no gradient of a single step", "set clip_steps=None")
    if transformed():
        return no("ATen's layers do not know torch.func's vmap and jvp")
    if not call.x.is_floating_point():
        return no(f"ATen has no recurrent layer for {call.x.dtype}", "pass real floating numbers")
    where = {"cpu": "oneDNN or ATen on the CPU", "cuda": "cuDNN"}.get(call.x.device.type, "ATen")
    return Verdict("torch", True, f"{call.cell.__name__} runs in {where}")


def _native_verdict(call: Call) -> Verdict:
    if transformed():
        return Verdict("native", False, "it does not know torch.func's vmap and jvp")
    found = native.why_not(call)
    if found is not None:
        return Verdict("native", False, *found)
    return Verdict("native", True, f"{call.cell.__name__} runs as compiled code")


def _reference_verdict(_: Call) -> Verdict:
    return Verdict("reference", True, "runs every cell and option, as a loop of torch operators")


_VERDICTS: dict[str, Callable[[Call], Verdict]] = {
    "native": _native_verdict,
    "torch": _aten_verdict,
    "reference": _reference_verdict,
}
_RUN: dict[str, Callable[[Call], Result]] = {
    "native": native.run,
    "torch": aten.run,
    "reference": reference.run,
}
ENGINES = tuple(_VERDICTS)
"""Names of the engines, the fastest first."""

_forced: ContextVar[str | None] = ContextVar("elman_engine", default=None)
_warned: set[tuple[str, str]] = set()


@contextmanager
def use(engine: str | None) -> Iterator[None]:
    """Force an engine for every layer within a `with` block; None leaves the choice to each call.

    Raises:
        ValueError: there is no engine of that name.
        EngineUnavailable: raised by a layer that this engine cannot run.
    """
    token = _forced.set(checked(engine))
    try:
        yield
    finally:
        _forced.reset(token)


def checked(engine: str | None) -> str | None:
    """`engine` itself if it is None or a known name; else ValueError."""
    if engine is not None and engine not in ENGINES:
        raise ValueError(f"engine: must be one of {', '.join(ENGINES)} or None, got {engine!r}")
    return engine


def forced_engine() -> str | None:
    """The engine that `use` forces on every layer here, or None."""
    return _forced.get()


# torch.compile cannot trace a ContextVar: it takes what is forced while it compiles as a constant.
# This is torch.compiler.assume_constant_result, which would import all of Dynamo (2 s) here.
forced_engine._dynamo_marked_constant = True  # type: ignore[attr-defined]


def torch_first(
    cell: type[Cell], x: Tensor, *, steps: int, rows: int, units: int, plain: bool
) -> bool:
    """Whether ATen's kernels, where they can run a call, are the ones to take.

    Under autocast a layer then gives what torch's own does; a single step is too short to pack
    weights for; and where a call is `plain`, which is without lengths, reset and projected state,
    oneDNN's LSTM may be faster than ours.
    """
    if cell not in aten.CELLS:
        return False
    alike = steps == 1 or (x.is_cpu and torch.is_autocast_enabled("cpu"))
    if alike or not (plain and cell is LSTM and x.dtype == torch.float32):
        return alike
    # Where torch compiles or exports, rows may be any number, and are not looked at.
    looks = x.is_cpu and not seen_by_torch(x)
    return not (looks and _outruns_onednn(rows, units, torch.get_num_threads()))


def _outruns_onednn(rows: int, units: int, threads: int) -> bool:
    """Whether our LSTM is the faster one.

    Measured by `bench/layers.py --cells LSTM --engine native` beside oneDNN's, which starts and
    joins its threads at each step and packs its weights again for the derivative. Where it does
    neither, its kernels lead, but for few rows or few units, and where all our products lead.
    """
    learns, leads = torch.is_grad_enabled(), native_plain.LEADS
    if threads == 1:
        return rows <= 4 or (rows <= 8 and (learns or units >= 512)) or (learns and leads)
    return learns or leads or rows <= 32 or rows * units <= 8192


def explain_call(call: Call) -> Explanation:
    """Each engine's verdict on a call."""
    return Explanation(_VERDICTS[name](call) for name in _order(call))


def _order(call: Call) -> tuple[str, ...]:
    """The engines, the fastest for this call first."""
    plain = call.lengths is None and call.reset is None and call.weights.weight_hr is None
    rows, steps, _ = call.x.shape
    units = call.state[-1].shape[-1]
    if torch_first(call.cell, call.x, steps=steps, rows=rows, units=units, plain=plain):
        return ("torch", *(name for name in ENGINES if name != "torch"))
    return ENGINES


def select_engine(call: Call, engine: str | None = None) -> str:
    """The engine that runs a call: `engine` or the one forced by `use`, else the fastest that can.

    Warns once for each cell and reason when a slower engine than the cell's own must serve.

    Raises:
        EngineUnavailable: the forced engine cannot run this call.
    """
    forced = engine or forced_engine()
    if forced is not None:
        verdict = _VERDICTS[forced](call)
        if not verdict.runs:
            raise EngineUnavailable(
                f"engine {forced!r} was asked for and cannot run this: {verdict.reason}. "
                f"Either {verdict.repair or 'choose another cell'}, or leave engine=None."
            )
        return forced
    against: list[Verdict] = []
    for name in _order(call):
        verdict = _VERDICTS[name](call)
        if verdict.runs:
            break
        against.append(verdict)
    if name != "native":
        for one in against:
            _warn_if_slow(call, one)
    return name


def _warn_if_slow(call: Call, verdict: Verdict) -> None:
    # Without a repair there is no faster engine for this cell, and nothing to warn of.
    key = (call.cell.__qualname__, verdict.reason)
    if not verdict.repair or key in _warned or torch.compiler.is_compiling():
        return
    _warned.add(key)
    warnings.warn(
        f"{call.cell.__name__} runs in a slower engine: {verdict.reason}. For speed, "
        f"{verdict.repair}. Said once; elman.engine.explain(layer, x) tells more.",
        SlowPathWarning,
        stacklevel=3,
    )


def run(call: Call, engine: str | None = None) -> Result:
    """Outputs and states of a call by the engine that `select_engine` chooses; T may be 0."""
    if call.x.shape[1] == 0:
        return _no_steps(call)
    return _RUN[select_engine(call, engine)](call)


def _no_steps(call: Call) -> Result:
    """T = 0 is legal: no output, and the state as it came. One step tells the output's width."""
    import dataclasses

    one = dataclasses.replace(
        call,
        x=call.x.new_zeros(call.x.shape[0], 1, call.x.shape[2]),
        lengths=None,
        reset=None,
        keep=None,
        inputs={k: v.new_zeros(v.shape[0], 1, *v.shape[2:]) for k, v in call.inputs.items()},
    )
    # Without a graph: a derivative that is infinite at zero would make NaN of no gradient.
    with torch.no_grad():
        width = reference.run(one)
    states = width.states and type(width.states)(*(s[:, :0] for s in width.states))
    return Result(width.output[:, :0], call.state, states)
