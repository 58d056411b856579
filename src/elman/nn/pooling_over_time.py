"""A sequence to one vector: the largest, the mean, or what attention picks; at every step too.

Each module is used in two ways that agree: `pool(y, lengths)` over whole sequences, and
`pool.step(y_t, state)` as they come, in constant memory.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from elman.nn.sequence import as_lengths

__all__ = ["POOLINGS", "AttentionPooling", "MaxPooling", "MeanPooling", "Pooling"]

Lengths = Tensor | Sequence[int] | None


class Running(NamedTuple):
    """The largest value, or the sum, of each feature so far, and the steps (B,)."""

    value: Float[Tensor, "B F"]
    steps: Float[Tensor, " B"]


class Attended(NamedTuple):
    """The weighted sum so far, the sum of the weights, and the largest score, which scales both."""

    value: Float[Tensor, "B F"]
    weight: Float[Tensor, " B"]
    top: Float[Tensor, " B"]


class MaxPooling(nn.Module):
    r"""The largest value of each feature over time.

    .. math::
        z = \max_{t \le \ell} y_t \quad (0 \text{ where } \ell = 0)

    Args:
        features: F.

    State: `value` (B, F), the largest so far; `steps` (B,).

    Example:
        >>> MaxPooling(2)(torch.tensor([[[1., 5.], [3., 2.], [9., 9.]]]), lengths=[2])
        tensor([[3., 5.]])
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features

    def forward(self, y: Float[Tensor, "B T F"], lengths: Lengths = None) -> Float[Tensor, "B F"]:
        """Over whole sequences; what stands beyond a length has no influence."""
        inside = _inside(y, lengths)
        if not y.shape[1]:
            return y.new_zeros(y.shape[0], y.shape[2])
        top = y.masked_fill(~inside[..., None], -torch.inf).amax(1)
        return top.masked_fill(~inside.any(1)[:, None], 0.0)

    def initial_state(self, batch: int) -> Running:
        """Nothing seen yet."""
        return Running(torch.full((batch, self.features), -torch.inf), torch.zeros(batch))

    def step(self, y: Float[Tensor, "B F"], state: Running) -> tuple[Float[Tensor, "B F"], Running]:
        """The pooled vector with one step more, and the new state."""
        new = Running(torch.maximum(state.value.to(y), y), state.steps + 1)
        return new.value, new


class MeanPooling(nn.Module):
    r"""The mean of each feature over time.

    .. math::
        z = \frac{1}{\ell} \sum_{t \le \ell} y_t \quad (0 \text{ where } \ell = 0)

    Args:
        features: F.

    State: `value` (B, F), the sum so far; `steps` (B,).

    Example:
        >>> MeanPooling(2)(torch.tensor([[[1., 5.], [3., 2.], [9., 9.]]]), lengths=[2])
        tensor([[2.0000, 3.5000]])
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features

    def forward(self, y: Float[Tensor, "B T F"], lengths: Lengths = None) -> Float[Tensor, "B F"]:
        """Over whole sequences; what stands beyond a length has no influence."""
        inside = _inside(y, lengths)
        total = y.masked_fill(~inside[..., None], 0.0).sum(1)
        return total / inside.sum(1).clamp(min=1)[:, None]

    def initial_state(self, batch: int) -> Running:
        """Nothing seen yet."""
        return Running(torch.zeros(batch, self.features), torch.zeros(batch))

    def step(self, y: Float[Tensor, "B F"], state: Running) -> tuple[Float[Tensor, "B F"], Running]:
        """The pooled vector with one step more, and the new state."""
        new = Running(state.value.to(y) + y, state.steps + 1)
        return new.value / new.steps.to(y)[:, None], new


class AttentionPooling(nn.Module):
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

    State: `value` (B, F), `weight` (B,) and `top` (B,), from which the weighted mean follows
    without a step being kept.

    Source: Yang et al., "Hierarchical attention networks for document classification" (2016),
    equations 5 to 7.

    Example:
        >>> AttentionPooling(2)(torch.tensor([[[1., 5.], [3., 2.], [9., 9.]]]), lengths=[2]).shape
        torch.Size([1, 2])
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features
        self.inner = nn.Linear(features, features)
        self.outer = nn.Linear(features, 1, bias=False)
        nn.init.zeros_(self.outer.weight)

    def forward(self, y: Float[Tensor, "B T F"], lengths: Lengths = None) -> Float[Tensor, "B F"]:
        """Over whole sequences; what stands beyond a length has no influence."""
        weights, y = self._weighted(y, lengths)
        return torch.einsum("bt,btf->bf", weights, y)

    def weights(self, y: Float[Tensor, "B T F"], lengths: Lengths = None) -> Float[Tensor, "B T"]:
        """How much each step counts; a row sums to 1, or to 0 where there is no step."""
        return self._weighted(y, lengths)[0]

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


POOLINGS: dict[str, type[Any]] = {
    "max": MaxPooling,
    "mean": MeanPooling,
    "attention": AttentionPooling,
}
"""By the names that `Pooling` takes."""


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

    def __init__(self, features: int, kinds: Sequence[str] = ("max", "mean", "attention")) -> None:
        super().__init__()
        check_kinds(kinds)
        self.kinds = tuple(kinds)
        self.output_size = features * len(self.kinds)
        self.parts = nn.ModuleList(POOLINGS[kind](features) for kind in self.kinds)

    def forward(self, y: Float[Tensor, "B T F"], lengths: Lengths = None) -> Float[Tensor, "B O"]:
        """Over whole sequences; what stands beyond a length has no influence."""
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

    def _list(self) -> list[Any]:
        return list(self.parts)


def check_kinds(kinds: Sequence[str]) -> None:
    """Raises ValueError unless each kind of pooling is known and occurs once, and there is one."""
    known = ", ".join(POOLINGS)
    if isinstance(kinds, str) or not kinds or len(set(kinds)) < len(kinds):
        raise ValueError(f"pooling must be one or more of {known}, each once; got {kinds!r}")
    for kind in kinds:
        if kind not in POOLINGS:
            raise ValueError(f"pooling must be one or more of {known}; got {kind!r}; choose one")


def _inside(y: Tensor, lengths: Lengths) -> Tensor:
    """Which steps lie within their row: (B, T)."""
    found = as_lengths(lengths, y)
    if found is None:
        return torch.ones(y.shape[:2], dtype=torch.bool, device=y.device)
    return torch.arange(y.shape[1], device=y.device) < found[:, None]
