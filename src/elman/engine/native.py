"""The native engine: tapes run by compiled code, over a whole sequence in one call.

torch sees two operators, `elman::recurrent` and `elman::recurrent_backward`, inside an
`autograd.Function`. The compiled code takes the input projection as given, and gives back the
gradients of every step's projections: what is a product of whole matrices, torch does.

Time comes first inside: (T, B, I). Weights are packed inside each call, and never kept.
"""

from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from elman.cells import Cell
from elman.engine import native_plain, reference
from elman.engine.again import gradients, needs_reference
from elman.engine.call import Call, Result, Weights, carried
from elman.engine.native_arguments import Arguments, seen_by_torch
from elman.engine.native_ops import recurrent, recurrent_backward
from elman.engine.plans import further_inputs, text_of, trouble_with
from elman_runtime import native

_DENSE = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
DTYPES = (torch.float32, torch.float64)


def why_not(call: Call) -> tuple[str, str] | None:
    """The reason why this engine cannot run a call, and the repair; None where it can."""
    if not native.available:
        return "elman-runtime was installed without its compiled module", "install a C++ compiler"
    if call.x.device.type != "cpu":
        return f"it runs on a CPU, not on {call.x.device.type}", ""
    dtype = call.x.dtype
    mixed = dtype not in DTYPES or {t.dtype for t in _tensors(call)} != {dtype}
    if mixed and not _autocast():
        return "it knows float32 and float64, one of them for everything", "use float32"
    if any(k.requires_grad for k in call.keep or () if isinstance(k, Tensor)):
        return "it has no gradient for zoneout's masks", ""
    if call.state_mask is not None and call.state_mask.requires_grad:
        return "it has no gradient for the mask of state dropout", ""
    trouble = trouble_with(call.cell, call.constants, call.weights.weight_hr is not None)
    if trouble is not None:
        return f"{call.cell.__name__} has no tape: {trouble}", "write the step with elman.ops"
    return None


def _tensors(call: Call) -> list[Tensor]:
    weights = [*call.weights.dense(), *call.weights.params.values()]
    return [call.x, *weights, *call.state, *call.inputs.values(), *(call.start or ())]


def _autocast() -> bool:
    return torch.is_autocast_enabled("cpu")


def run(call: Call) -> Result:
    """Outputs and states of a call that `why_not` has nothing against."""
    if _autocast():
        with torch.autocast("cpu", enabled=False):
            return _run(call, torch.float32)
    return native_plain.run(call) if native_plain.fits(call) else _run(call, call.x.dtype)


def _run(call: Call, dtype: torch.dtype) -> Result:
    spec, tensors = _pack(call, dtype)
    learns = torch.is_grad_enabled() and any(t.requires_grad for t in tensors if t is not None)
    if learns and not seen_by_torch(call.x):
        found = _Recurrent.apply(spec, *tensors)  # type: ignore[no-untyped-call]
    else:
        found = _results(spec, recurrent(spec.arguments(tensors), train=learns or call.states))
    count = len(call.cell.state)
    output, final = found[0], call.cell.State(*found[1 : 1 + count])
    states = (
        call.cell.State(*(s.transpose(0, 1) for s in found[1 + count :])) if call.states else None
    )
    return Result(output.transpose(0, 1), final, states and carried(call, states, final))


class _Spec(NamedTuple):
    """What a call is, but for its tensors that have gradients: autograd keeps those."""

    cell: type[Cell]
    constants: dict[str, float]
    lengths: Tensor | None
    reset: Tensor | None
    state_mask: Tensor | None
    keep: tuple[Tensor | float, ...] | None
    reverse: bool
    kept: bool
    """Whether every state of every step is returned too."""
    clip: float | None
    tape: str
    params: tuple[str, ...]
    inputs: tuple[str, ...]

    def arguments(self, tensors: Any) -> Arguments:
        """The tensors by what they are."""
        x, weight_ih, weight_hh, bias_ih, bias_hh, weight_hr = tensors[:6]
        first = 6 + len(self.params)
        last = first + len(self.cell.state)
        further = last + (0 if self.reset is None else len(self.cell.state))
        keep = self.keep or ()
        nothing = x.new_empty(0) if keep else x
        return Arguments(
            x,
            weight_ih,
            weight_hh,
            bias_ih,
            bias_hh,
            weight_hr,
            list(tensors[6:first]),
            list(tensors[first:last]),
            list(tensors[last:further]),
            list(tensors[further:]),
            None if self.lengths is None else self.lengths.to(torch.int64).contiguous(),
            None if self.reset is None else _time_first(self.reset),
            None if self.state_mask is None else self.state_mask.to(x.dtype).contiguous(),
            [_time_first(k.to(x.dtype)) if isinstance(k, Tensor) else nothing for k in keep],
            [1.0 if isinstance(k, Tensor) else float(k) for k in keep],
            self.clip or 0.0,
            self.tape,
            self.reverse,
        )


def _time_first(x: Tensor) -> Tensor:
    return x.transpose(0, 1).contiguous()


def _pack(call: Call, dtype: torch.dtype) -> tuple[_Spec, list[Tensor | None]]:
    """Everything that may have a gradient, in one list; dense and time first."""
    w = call.weights
    tape = text_of(call.cell, call.constants, w.weight_hr is not None)
    names = further_inputs(tape)
    spec = _Spec(
        call.cell,
        call.constants,
        call.lengths,
        call.reset,
        call.state_mask,
        call.keep,
        call.reverse,
        call.states,
        call.clip,
        tape,
        tuple(w.params),
        names,
    )
    dense = (w.weight_ih, w.weight_hh, w.bias_ih, w.bias_hh, w.weight_hr)
    start = () if call.reset is None else tuple(call.start)
    inputs = [call.inputs[name].transpose(0, 1) for name in names]
    tensors = (call.x.transpose(0, 1), *dense, *w.params.values(), *call.state, *start, *inputs)
    return spec, [None if t is None else _dense(t, dtype) for t in tensors]


def _dense(t: Tensor, dtype: torch.dtype) -> Tensor:
    # Asking costs a tenth of what a call of `to` that does nothing costs.
    return t if t.dtype == dtype and t.is_contiguous() else t.to(dtype).contiguous()


def _results(spec: _Spec, found: Any) -> tuple[Tensor, ...]:
    states = found.states if spec.kept else ()
    return (found.output, *found.final, *(_apart(s, found.output) for s in states))


def _apart(s: Tensor, output: Tensor) -> Tensor:
    """A tensor of its own: the first state may be the output itself."""
    return s.clone() if s is output else s


class _Recurrent(torch.autograd.Function):
    """Outputs, final states and, where asked for, the states of every step; time first."""

    @staticmethod
    def forward(ctx: Any, spec: _Spec, *tensors: Tensor | None) -> tuple[Tensor, ...]:
        found = recurrent(spec.arguments(tensors), train=True)
        ctx.set_materialize_grads(False)
        ctx.spec, ctx.given = spec, len(tensors)
        ctx.save_for_backward(*tensors, *found.saved())
        return _results(spec, found)

    @staticmethod
    def backward(ctx: Any, *up: Tensor | None) -> tuple[Tensor | None, ...]:
        found = ctx.saved_tensors  # once: each time it is read, checkpointing runs forwards again
        tensors, saved = found[: ctx.given], found[ctx.given :]
        if needs_reference(up):
            return (None, *gradients(partial(_again, ctx.spec), tensors, up))
        needs = ctx.needs_input_grad[1:]
        return (None, *recurrent_backward(ctx.spec.arguments(tensors), saved, up, needs))


def _again(spec: _Spec, tensors: Any) -> list[Tensor]:
    """What a forward pass returned, by the reference engine."""
    given, state = spec.arguments(tensors), spec.cell.State
    inputs = zip(spec.inputs, given.inputs, strict=True)
    found = reference.run(
        Call(
            spec.cell,
            given.x.transpose(0, 1),
            state(*given.state),
            Weights(
                **{name: getattr(given, name) for name in _DENSE},
                params=dict(zip(spec.params, given.params, strict=True)),
            ),
            spec.constants,
            {name: value.transpose(0, 1) for name, value in inputs},
            spec.lengths,
            spec.reset,
            None if spec.reset is None else state(*given.start),
            spec.reverse,
            spec.state_mask,
            spec.keep,
            spec.kept,
            spec.clip,
        )
    )
    states = found.states if spec.kept else ()
    return [found.output.transpose(0, 1), *found.state, *(s.transpose(0, 1) for s in states)]
