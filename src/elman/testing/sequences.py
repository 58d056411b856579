"""Checks of time: steps, blocks, lengths, padding, documents, directions."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from elman import state as states
from elman.nn import Recurrent
from elman.testing.case import Arguments, Case, State, named_leaves, outcome, whole
from elman.testing.tolerance import Difference

Findings = Iterator[Difference | str]


def step_by_step(case: Case) -> Findings:
    """One step at a time is the whole sequence, from a given and from the default state."""
    layer = case.layer(layers=case.layers).eval()
    for default in (False, True):
        a = case.arguments(layer, default=default, wide=default)
        a = replace(a, reset=torch.rand(a.x.shape[:2]) < 0.3)
        yield from case.agree("step by step", outcome(layer, a, _stepped), outcome(layer, a))
    yield from _every_state(case, layer, a)


def _stepped(layer: Recurrent, a: Arguments) -> tuple[Tensor, State]:
    state = layer.initial_state(a.x.shape[0]) if a.state is None else a.state
    outputs = []
    for t in range(a.x.shape[1]):
        now: dict[str, Any] = {name: value[:, t] for name, value in a.inputs.items()}
        reset = None if a.reset is None else a.reset[:, t]
        y, state = layer.step(a.x[:, t], state, reset=reset, **now)
        outputs.append(y)
    return torch.stack(outputs, 1), state


def _every_state(case: Case, layer: Recurrent, a: Arguments) -> Findings:
    """`states=True` returns what stepping goes through."""
    everyone = slice(None)
    with torch.no_grad():
        _, _, kept = layer(a.x, a.state, reset=a.reset, states=True, **a.inputs)
        state = a.state
        for t in range(a.x.shape[1]):
            _, state = _stepped(layer, replace(a.part(everyone, slice(t, t + 1)), state=state))
            at = states.map_leaves(lambda s, t=t: s[:, t], kept)
            named = dict(named_leaves(layer, state))
            yield from case.agree(f"states of step {t}", dict(named_leaves(layer, at)), named)


def blocks(case: Case) -> Findings:
    """A sequence cut anywhere, its state carried from block to block, is the sequence."""
    layer = case.layer(layers=case.layers)
    a = case.arguments(layer)

    def cut(layer: Recurrent, a: Arguments, *, at: int) -> tuple[Tensor, State]:
        everyone, state, outputs = slice(None), a.state, []
        # The block in the middle is empty: T = 0 changes nothing.
        for steps in (slice(0, at), slice(at, at), slice(at, None)):
            y, state = whole(layer, replace(a.part(everyone, steps), state=state))
            outputs.append(y)
        assert state is not None
        return torch.cat(outputs, 1), state

    expected = outcome(layer, a)
    for at in {0, case.size.time // 2, case.size.time}:
        found = outcome(layer, a, partial(cut, at=at))
        yield from case.agree(f"cut at {at}", found, expected)


def no_steps(case: Case) -> Findings:
    """T = 0: no outputs, the state and its gradient as they came."""
    layer = case.layer(layers=case.layers, bidirectional=True)
    a = case.arguments(layer).part(slice(None), slice(0, 0))
    found = outcome(layer, a)
    if found["outputs"].shape != (case.size.batch, 0, layer.output_size):
        raise AssertionError(f"T = 0: outputs have shape {tuple(found['outputs'].shape)}")
    assert a.state is not None
    for (name, given), gradient in zip(
        named_leaves(layer, a.state), states.leaves(a.grad_state), strict=True
    ):
        yield identical(f"T = 0: final {name}", found[f"final {name}"], given)
        name = f"gradient of {name} passed in"
        yield identical(f"T = 0: {name}", found[name], gradient)


def default_state(case: Case) -> Findings:
    """No state passed in is `initial_state(batch)` passed in, for its parameters' gradients too."""
    for learn in (False, True):
        layer = case.layer(learn_initial_state=learn)
        a = case.arguments(layer, default=True)

        def given(layer: Recurrent, a: Arguments) -> tuple[Tensor, State]:
            return whole(layer, replace(a, state=layer.initial_state(a.x.shape[0])))

        yield from case.agree("default state", outcome(layer, a), outcome(layer, a, given))


def lengths(case: Case) -> Findings:
    """Each row of a ragged batch is that row alone, its state carried past its end."""
    layer = case.layer(layers=case.layers, bidirectional=True)
    for default in (False, True):
        a = ragged(case.arguments(layer, default=default))
        yield from case.agree("rows alone", outcome(layer, a), outcome(layer, a, _rows_alone))


def _rows_alone(layer: Recurrent, a: Arguments) -> tuple[Tensor, State]:
    assert a.lengths is not None
    ys, finals = [], []
    for b, length in enumerate(a.lengths.tolist()):
        y, final = whole(layer, a.part(slice(b, b + 1), slice(0, length)))
        ys.append(_padded(y, a.x.shape[1]))
        finals.append(final)
    return torch.cat(ys), states.cat(finals)


def padding(case: Case) -> Findings:
    """What stands beyond a row's length has no influence: not one bit, NaN included."""
    layer = case.layer(layers=case.layers, bidirectional=True)
    a = ragged(case.arguments(layer))
    expected = outcome(layer, a)
    for fill in (torch.nan, 123.0):
        found = outcome(layer, fill_padding(a, fill))
        for name, value in found.items():
            yield identical(f"padding of {fill:g}: {name}", value, expected[name])


def fill_padding(a: Arguments, fill: float) -> Arguments:
    """The same with another number in all inputs beyond each row's length."""
    assert a.lengths is not None
    beyond = torch.arange(a.x.shape[1]) >= a.lengths[:, None]

    def fill_in(t: Tensor) -> Tensor:
        return t.masked_fill(beyond.reshape(*beyond.shape, *[1] * (t.dim() - 2)), fill)

    return replace(a, x=fill_in(a.x), inputs={n: fill_in(v) for n, v in a.inputs.items()})


def documents(case: Case) -> Findings:
    """A row of packed documents is its documents run apart, in both directions."""
    layer = case.layer(bidirectional=True, learn_initial_state=True)
    for default in (False, True):
        a = ragged(case.arguments(layer, default=default))
        starts = torch.rand(a.x.shape[:2]) < 0.4
        starts[0, 0] = not default
        a = replace(a, reset=starts)
        yield from case.agree("documents apart", outcome(layer, a), outcome(layer, a, _apart))


def _apart(layer: Recurrent, a: Arguments) -> tuple[Tensor, State]:
    assert a.lengths is not None
    ys, finals = [], []
    for b, length in enumerate(a.lengths.tolist()):
        y, final = _row_apart(layer, a.part(slice(b, b + 1), slice(0, length)))
        ys.append(_padded(y, a.x.shape[1]))
        finals.append(final)
    return torch.cat(ys), states.cat(finals)


def _row_apart(layer: Recurrent, row: Arguments) -> tuple[Tensor, State]:
    """One row, both directions: each document by itself, the state passed in to the outer ones."""
    steps = row.x.shape[1]
    assert row.reset is not None
    starts = row.reset[0].nonzero().flatten().tolist()
    bounds = sorted({0, *starts, steps})
    fresh = layer.initial_state(1)
    given = fresh if row.state is None else row.state
    if not steps:
        return whole(layer, replace(row, state=given, reset=None))
    ys, forward, backward = [], None, None
    for first, end in itertools.pairwise(bounds):
        own = first == 0 and 0 not in starts
        state = (given[0] if own else fresh[0], given[1] if end == steps else fresh[1])
        document = replace(row.part(slice(None), slice(first, end)), state=state, reset=None)
        y, (forward, first_backward) = whole(layer, document)
        backward = first_backward if backward is None else backward
        ys.append(y)
    return torch.cat(ys, 1), (forward, backward)


def directions(case: Case) -> Findings:
    """Both directions are one forwards and one forwards over the flipped row."""
    layer, one_way = case.layer(bidirectional=True), case.layer()
    parameters = dict(layer.named_parameters())

    def two_layers(layer: Recurrent, a: Arguments) -> tuple[Tensor, State]:
        assert a.state is not None
        lengths, ys, finals = a.lengths, [], []
        for way, suffix in enumerate(layer.suffixes):
            own: dict[str, Tensor] = {
                name.replace(suffix, "l0"): value
                for name, value in parameters.items()
                if name.endswith(f"_{suffix}")
            }
            x, *inputs = (_flipped(v, lengths) if way else v for v in (a.x, *a.inputs.values()))
            options = dict(zip(a.inputs, inputs, strict=True), lengths=lengths)
            y, final = functional_call(one_way, own, (x, a.state[way : way + 1]), options)
            ys.append(_flipped(y, lengths) if way else y)
            finals += final
        return torch.cat(ys, -1), tuple(finals)

    a = case.arguments(layer)
    for b in (a, ragged(a)):
        yield from case.agree("flipped", outcome(layer, b), outcome(layer, b, two_layers))


# --- pieces --------------------------------------------------------------------------------------


def ragged(a: Arguments) -> Arguments:
    """The same with lengths: 0 for the second row, the whole for the third, in no order."""
    batch, steps = a.x.shape[:2]
    lengths = torch.randint(1, steps + 1, (batch,))
    lengths[1::3], lengths[2::3] = 0, steps
    return replace(a, lengths=lengths)


def _padded(y: Tensor, steps: int) -> Tensor:
    return torch.cat([y, y.new_zeros(y.shape[0], steps - y.shape[1], y.shape[2])], 1)


def _flipped(v: Tensor, lengths: Tensor | None) -> Tensor:
    """Each row backwards within its length, one row at a time."""
    if lengths is None:
        return v.flip(1)
    rows = [
        torch.cat([row[:n].flip(0), row[n:]])
        for row, n in zip(v.unbind(), lengths.tolist(), strict=True)
    ]
    return torch.stack(rows)


def identical(what: str, actual: Tensor, expected: Tensor) -> Difference:
    """Refuse the smallest difference."""
    if not torch.equal(actual, expected):
        off = (actual - expected).abs().nan_to_num(torch.inf)
        raise AssertionError(
            f"{what}: must be the same bits; {int((off > 0).sum())} of {off.numel()} entries "
            f"differ, by up to {float(off.max()):.2g}"
        )
    return Difference(what, (), 0.0, 0.0, 0.0, 0.0)
