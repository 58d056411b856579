"""From a sequence to one vector: its last step, its largest or mean values, what attention picks.

A pool is used in two ways that agree: `pool(y, lengths)` over whole sequences, and
`pool.step(y_t, state)` as they come, in constant memory.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from elman.cells.running_softmax import RunningSoftmax
from elman.engine import Weights
from elman.nn.sequence import as_lengths

__all__ = ["KINDS", "AttentionPool", "Last", "Pool", "Pooling", "check_kinds"]

KINDS = ("max", "mean", "attention")
"""The kinds that `Pooling` takes."""

Lengths = Tensor | Sequence[int] | None


class Running(NamedTuple):
    """The largest value, or the sum, of each feature so far; and the steps (B,).

    The value is (B, F) from the first step on, and (B, 1) before it.
    """

    value: Tensor
    steps: Float[Tensor, " B"]


class Attended(NamedTuple):
    """The weighted sum so far, the sum of the weights, and the largest score, which scales both."""

    value: Float[Tensor, "B F"]
    weight: Float[Tensor, " B"]
    top: Float[Tensor, " B"]


class _Over(nn.Module):
    """What all share: they take what a recurrent layer returns."""

    def __init__(self, *, batch_first: bool = True) -> None:
        super().__init__()
        self.batch_first = batch_first

    def _sequence(self, y: Any) -> Tensor:
        """(B, T, F) of y, or of the pair (y, state) that a recurrent layer returns."""
        found = y[0] if isinstance(y, tuple) else y
        if not isinstance(found, Tensor) or found.dim() != 3:
            axes = "(batch, time, F)" if self.batch_first else "(time, batch, F)"
            came = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise ValueError(f"y must be {axes}, or (y, state); got {came}")
        return found if self.batch_first else found.transpose(0, 1)

    def _value(self, builder: Any, y: Any) -> Any:
        builder.lies("batch first" if self.batch_first else "time first", self)
        return y[0] if type(y) is tuple else y

    def extra_repr(self) -> str:
        """What `print` shows."""
        return "" if self.batch_first else "batch_first=False"


class Last(_Over):
    """The last valid step of a sequence: what `y[:, -1]` means, right for unequal lengths too.

    Takes y (B, T, F), or the pair (y, state) that a recurrent layer returns, so that it can stand
    behind one in `nn.Sequential`. Of a layer in both directions it takes what stands at the last
    step, where the backward direction has seen one input: `Pool`, or `layer.last(state)`, has more.

    Args:
        batch_first: False where y is (T, B, F), as torch's layers return it unless told otherwise.

    Example:
        >>> import torch, elman
        >>> model = torch.nn.Sequential(
        ...     torch.nn.LSTM(3, 5, batch_first=True), elman.nn.Last(), torch.nn.Linear(5, 2)
        ... )
        >>> model(torch.zeros(4, 7, 3)).shape
        torch.Size([4, 2])
    """

    def forward(
        self, y: Any, lengths: Tensor | Sequence[int] | None = None
    ) -> Float[Tensor, "B F"]:
        """From (B, T, F) to (B, F); zeros for rows without steps."""
        x = self._sequence(y)
        valid = as_lengths(lengths, x)
        if not x.shape[1]:
            return x.new_zeros(x.shape[0], x.shape[2])
        if valid is None:
            return x[:, -1]
        at = (valid - 1).clamp(min=0)[:, None, None].expand(-1, 1, x.shape[2])
        return x.gather(1, at)[:, 0].masked_fill((valid == 0)[:, None], 0.0)

    def lower(self, builder: Any, y: Any) -> Any:
        """The same in a program; in one that judges after each step, each step."""
        return builder.last(self._value(builder, y))


class Pool(_Over):
    r"""The largest or the mean value of each feature over the valid steps of a sequence.

    .. math::
        z = \max_{t \le \ell} y_t \quad \text{or} \quad
        z = \frac{1}{\ell} \sum_{t \le \ell} y_t \quad (0 \text{ where } \ell = 0)

    Args:
        how: "max" or "mean".
        batch_first: False where y is (T, B, F).

    State: `value`, the largest so far or the sum, and `steps` (B,).

    Example:
        >>> import torch
        >>> y = torch.tensor([[[1.0], [5.0], [3.0]]])
        >>> Pool("mean")(y), Pool("max")(y, lengths=[1])
        (tensor([[3.]]), tensor([[1.]]))
    """

    def __init__(self, how: str, *, batch_first: bool = True) -> None:
        super().__init__(batch_first=batch_first)
        if how not in ("max", "mean"):
            raise ValueError(f"how must be 'max' or 'mean', got {how!r}")
        self.how = how

    def forward(self, y: Any, lengths: Lengths = None) -> Float[Tensor, "B F"]:
        """From (B, T, F), or (y, state), to (B, F); zeros for rows without steps."""
        x = self._sequence(y)
        inside = _inside(x, lengths)
        if self.how == "mean":
            total = x.masked_fill(~inside[..., None], 0.0).sum(1)
            return total / inside.sum(1).clamp(min=1)[:, None]
        if not x.shape[1]:
            return x.new_zeros(x.shape[0], x.shape[2])
        top = x.masked_fill(~inside[..., None], -torch.inf).amax(1)
        return top.masked_fill(~inside.any(1)[:, None], 0.0)

    def initial_state(self, batch: int) -> Running:
        """Nothing seen yet."""
        start = -torch.inf if self.how == "max" else 0.0
        return Running(torch.full((batch, 1), start), torch.zeros(batch))

    def step(self, y: Float[Tensor, "B F"], state: Running) -> tuple[Float[Tensor, "B F"], Running]:
        """The pooled vector with one step more, and the new state."""
        before, steps = state.value.to(y), state.steps.to(y) + 1
        if self.how == "max":
            top = torch.maximum(before, y)
            return top, Running(top, steps)
        total = before + y
        return total / steps[:, None], Running(total, steps)

    def lower(self, builder: Any, y: Any) -> Any:
        """The same in a program; in one that judges after each step, the pool so far."""
        return builder.pool(self._value(builder, y), self.how)

    def extra_repr(self) -> str:
        """What `print` shows."""
        return ", ".join(filter(None, [repr(self.how), super().extra_repr()]))


class AttentionPool(_Over):
    r"""A weighted mean over time, whose weights the features themselves decide.

    .. math::
        s_t &= v \cdot \tanh(W y_t + b) \\
        z &= \sum_{t \le \ell} \frac{e^{s_t}}{\sum_{k \le \ell} e^{s_k}} y_t
            \quad (0 \text{ where } \ell = 0)

    ======  ================  =======
    symbol  parameter         shape
    ======  ================  =======
    W       `inner.weight`    (F, F)
    b       `inner.bias`      (F,)
    v       `outer.weight`    (1, F)
    ======  ================  =======

    It starts at the mean: v is zero.

    Args:
        features: F.
        batch_first: False where y is (T, B, F).

    State: `value` (B, F), `weight` (B,) and `top` (B,), from which the weighted mean follows
    without a step being kept.

    Source: Yang et al., "Hierarchical attention networks for document classification" (2016),
    equations 5 to 7.

    Example:
        >>> AttentionPool(2)(torch.tensor([[[1., 5.], [3., 2.], [9., 9.]]]), lengths=[2]).shape
        torch.Size([1, 2])
    """

    def __init__(self, features: int, *, batch_first: bool = True) -> None:
        super().__init__(batch_first=batch_first)
        self.features = features
        self.inner = nn.Linear(features, features)
        self.outer = nn.Linear(features, 1, bias=False)
        nn.init.zeros_(self.outer.weight)

    def forward(self, y: Any, lengths: Lengths = None) -> Float[Tensor, "B F"]:
        """From (B, T, F), or (y, state), to (B, F); zeros for rows without steps."""
        weights, x = self._weighted(self._sequence(y), lengths)
        return torch.einsum("bt,btf->bf", weights, x)

    def weights(self, y: Any, lengths: Lengths = None) -> Float[Tensor, "B T"]:
        """How much each step counts; a row sums to 1, or to 0 where there is no step."""
        return self._weighted(self._sequence(y), lengths)[0]

    def _weighted(self, y: Tensor, lengths: Lengths) -> tuple[Tensor, Tensor]:
        inside = _inside(y, lengths)
        y = y.masked_fill(~inside[..., None], 0.0)
        # A large number rather than an infinity: a row without a step gives no NaN.
        scores = self._scores(y).masked_fill(~inside, -1e30)
        return scores.softmax(1) * inside, y

    def _scores(self, y: Tensor) -> Tensor:
        found: Tensor = self.outer(torch.tanh(self.inner(y)))
        return found[..., 0]

    def initial_state(self, batch: int) -> Attended:
        """Nothing seen yet."""
        empty = self.inner.bias.new_zeros(batch)
        value = self.inner.bias.new_zeros(batch, self.features)
        return Attended(value, empty, empty - torch.inf)

    def step(
        self, y: Float[Tensor, "B F"], state: Attended
    ) -> tuple[Float[Tensor, "B F"], Attended]:
        """The pooled vector with one step more, and the new state."""
        scores = self._scores(y)
        top = torch.maximum(state.top, scores)
        old, own = torch.exp(state.top - top), torch.exp(scores - top)
        value = state.value * old[:, None] + y * own[:, None]
        new = Attended(value, state.weight * old + own, top)
        return value / new.weight[:, None], new

    def lower(self, builder: Any, y: Any) -> Any:
        """The same in a program; in one that judges after each step, what was attended to so far.

        So far is a recurrence, and so its equations are those of a cell.
        """
        x = self._value(builder, y)
        if builder.each:
            inner = builder.lower(self.inner, x, name="inner")
            score = builder.lower(self.outer, builder.apply("tanh", inner), name="outer")
            return self._so_far(builder, score, x)
        with builder.inside("inner"):
            keys = builder.linear(x, self.inner.weight)
            query = builder.constant("bias", self.inner.bias)
        with builder.inside("outer"):
            return builder.attention(query, keys, x, self.outer.weight[0])[0]

    def _so_far(self, builder: Any, score: Any, x: Any) -> Any:
        from elman.trace import trace

        ones = self.outer.weight.new_ones(self.features)
        starts = [None, None, RunningSoftmax.LOWEST * ones]
        weights, tape = Weights(ones[:, None]), trace(RunningSoftmax, backward=False)
        return builder.cell(score, tape, weights, "so_far", inputs=[x], starts=starts).y


class Pooling(nn.Module):
    """Several ways of pooling side by side, concatenated in the order given.

    Args:
        features: F.
        kinds: one or more of max, mean and attention, each once.

    Raises:
        ValueError: a kind is unknown or occurs twice, or there is none.

    Example:
        >>> pool = Pooling(4, ("max", "mean"))
        >>> pool(torch.randn(3, 7, 4), lengths=[7, 2, 0]).shape, pool.output_size
        (torch.Size([3, 8]), 8)
    """

    def __init__(self, features: int, kinds: Sequence[str] = KINDS) -> None:
        super().__init__()
        check_kinds(kinds)
        self.kinds = tuple(kinds)
        self.output_size = features * len(self.kinds)
        self.parts = nn.ModuleList(
            AttentionPool(features) if kind == "attention" else Pool(kind) for kind in self.kinds
        )

    def forward(self, y: Any, lengths: Lengths = None) -> Float[Tensor, "B O"]:
        """From (B, T, F), or (y, state), to (B, O); zeros for rows without steps."""
        return torch.cat([part(y, lengths) for part in self.parts], -1)

    def initial_state(self, batch: int) -> tuple[Any, ...]:
        """Nothing seen yet; one state for each kind."""
        return tuple(part.initial_state(batch) for part in self._list())

    def step(
        self, y: Float[Tensor, "B F"], state: tuple[Any, ...]
    ) -> tuple[Float[Tensor, "B O"], tuple[Any, ...]]:
        """The pooled vector with one step more, and the new state."""
        pairs = zip(self._list(), state, strict=True)
        found = [part.step(y, own) for part, own in pairs]
        return torch.cat([pooled for pooled, _ in found], -1), tuple(own for _, own in found)

    def lower(self, builder: Any, y: Any) -> Any:
        """The same in a program; in one that judges after each step, what was pooled so far."""
        with builder.inside("parts"):
            parts = [builder.lower(one, y, name=str(k)) for k, one in enumerate(self.parts)]
        return builder.concat(*parts)

    def _list(self) -> list[Any]:
        return list(self.parts)


def check_kinds(kinds: Sequence[str]) -> None:
    """Raises ValueError unless each kind of pooling is known and occurs once, and there is one."""
    known = ", ".join(KINDS)
    if isinstance(kinds, str) or not kinds or len(set(kinds)) < len(kinds):
        raise ValueError(f"pooling must be one or more of {known}, each once; got {kinds!r}")
    for kind in kinds:
        if kind not in KINDS:
            raise ValueError(f"pooling must be one or more of {known}; got {kind!r}; choose one")


def _inside(y: Tensor, lengths: Lengths) -> Tensor:
    """Which steps lie within their row: (B, T)."""
    found = as_lengths(lengths, y)
    if found is None:
        return torch.ones(y.shape[:2], dtype=torch.bool, device=y.device)
    return torch.arange(y.shape[1], device=y.device) < found[:, None]
