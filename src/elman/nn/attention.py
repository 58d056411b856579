"""Additive attention: which of the states of a source matter now."""

import math
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


class AdditiveAttention(nn.Module):
    r"""A mean of values, weighted by how well their keys answer a query.

    .. math::
        e_{ts} &= v^\top \tanh(W_q q_t + b_q + k_s), \qquad k_s = W_k m_s \\
        a_{ts} &= \exp(e_{ts}) / \sum_{s'} \exp(e_{ts'}) \\
        c_t &= \sum_s a_{ts} m_s

    ======  ==================  ============
    symbol  parameter           shape
    ======  ==================  ============
    W_q     ``query.weight``    (A, Q)
    b_q     ``query.bias``      (A,)
    W_k     ``key.weight``      (A, M)
    v       ``score.weight``    (1, A)
    ======  ==================  ============

    Axes: B batch, T queries, S places of the source, Q, M and A the widths of a query, of a value
    and of a key. There is no time in it: queries may be all steps of a decoder at once, or one
    step. Keys are made once a source.

    Which variant this is not: scores have no bias and are not scaled, unlike dot products; values
    are what the keys are made from.

    Source: Bahdanau, Cho and Bengio, "Neural machine translation by jointly learning to align and
    translate", 2015, equations 5 and 6 and appendix A.1.2.

    Example:
        >>> attention = AdditiveAttention(query=3, value=4, width=8)
        >>> values = torch.randn(2, 5, 4)
        >>> context, weights = attention(torch.randn(2, 7, 3), attention.keys(values), values)
        >>> context.shape, weights.shape
        (torch.Size([2, 7, 4]), torch.Size([2, 7, 5]))
    """

    def __init__(self, query: int, value: int, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(query, width)
        self.key = nn.Linear(value, width, bias=False)
        self.score = nn.Linear(width, 1, bias=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialise anew: Glorot's for the projections, scores that start small."""
        for projection in (self.query, self.key):
            nn.init.xavier_uniform_(projection.weight)
        nn.init.zeros_(self.query.bias)
        bound = 1 / math.sqrt(self.score.in_features)
        nn.init.uniform_(self.score.weight, -bound, bound)

    def keys(self, values: Float[Tensor, "B S M"]) -> Float[Tensor, "B S A"]:
        """The keys of values (B, S, M), once for all queries: (B, S, A)."""
        found: Tensor = self.key(values)
        return found

    def forward(
        self,
        queries: Float[Tensor, "B T Q"],
        keys: Float[Tensor, "B S A"],
        values: Float[Tensor, "B S M"],
        valid: Bool[Tensor, "B S"] | None = None,
    ) -> tuple[Float[Tensor, "B T M"], Float[Tensor, "B T S"]]:
        """Attend.

        Args:
            queries: (B, T, Q).
            keys: (B, S, A), from `keys`.
            values: (B, S, M); S is at least 1.
            valid: (B, S), false on padding, which gets no weight; at least one place of each row
                is valid. None: all are.

        Returns:
            contexts (B, T, M) and weights (B, T, S), which sum to 1 over S.

        Raises:
            ValueError: there is no place to attend to, or the batches differ.
        """
        _check(queries, keys, values)
        return self.asking(keys, values, valid)(queries)

    def asking(
        self, keys: Tensor, values: Tensor, valid: Tensor | None = None
    ) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
        """`forward` for the same keys and values, many times; arguments are not checked."""
        query, score = self.query, self.score
        keys, padding = keys[:, None], None
        if valid is not None:
            padding = ~valid[:, None]
            # Nothing of padding may pass: 0 times NaN is NaN.
            values = values.masked_fill(~valid[:, :, None], 0.0)

        def ask(queries: Tensor) -> tuple[Tensor, Tensor]:
            together = torch.tanh(query(queries)[:, :, None] + keys)
            scores = score(together).squeeze(-1)
            if padding is not None:
                scores = scores.masked_fill(padding, -math.inf)
            weights = torch.softmax(scores, -1)
            return weights @ values, weights

        return ask

    def lower_keys(self, builder: Any, values: Any) -> Any:
        """`keys` in a program (`elman.nn.Builder`)."""
        return builder.lower(self.key, values, name="key")

    def lower(self, builder: Any, query: Any, keys: Any, values: Any) -> tuple[Any, Any]:
        """The answers to one query (Q,) in a program, whose `lengths` say what is valid."""
        asked = builder.lower(self.query, query, name="query")
        found: tuple[Any, Any] = builder.attention(asked, keys, values, self.score.weight[0])
        return found


def _check(queries: Tensor, keys: Tensor, values: Tensor) -> None:
    if not values.shape[1]:
        raise ValueError(
            "values must have at least one place to attend to; got none; end every source with a "
            "token of its own"
        )
    if keys.shape[:2] != values.shape[:2] or len(queries) != len(keys):
        raise ValueError(
            "queries (B, T, Q), keys (B, S, A) and values (B, S, M) must agree in B and S; got "
            f"{tuple(queries.shape)}, {tuple(keys.shape)} and {tuple(values.shape)}; make the keys "
            "from these values"
        )
