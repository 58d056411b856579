"""The networks: a recurrent encoder whose steps are pooled, and its relations without a memory."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from elman.cells import Cell
from elman.nn import Pooling, Recurrent
from elman.nn.masks import scaled
from elman.tasks.classifying.lexicon import PADDING, UNKNOWN

if TYPE_CHECKING:
    from elman.nn.builder import Builder, Value


START = 0.1
"""The deviation of vectors that are drawn: those of rare words, which stay near it, say little."""


class Words(nn.Module):
    """Tokens to vectors; in training some tokens are hidden, and some entries dropped.

    Args:
        tokens: V, how many there are.
        embedding: E.
        hidden: share of the tokens that become the unknown one.
        dropout: share of the entries dropped, the same at every step.
    """

    def __init__(self, tokens: int, embedding: int, hidden: float, dropout: float) -> None:
        super().__init__()
        self.hidden, self.dropout = hidden, dropout
        self.weight = nn.Parameter(torch.empty(tokens, embedding))
        nn.init.normal_(self.weight, std=START)

    def forward(self, x: Int[Tensor, "B T"]) -> Float[Tensor, "B T E"]:
        """Vectors of tokens."""
        if self.training and self.hidden:
            hide = (torch.rand(x.shape, device=x.device) < self.hidden) & (x != PADDING)
            x = x.masked_fill(hide, UNKNOWN)
        found = nn.functional.embedding(x, self.weight)
        return _some_dropped(found, self.dropout) if self.training else found

    def lower(self, builder: "Builder", x: "Value") -> "Value":
        """Vectors of tokens in a program."""
        return builder.embedding(x, self.weight)


def _some_dropped(x: Tensor, rate: float) -> Tensor:
    """Steps (B, T, E) with entries dropped, the same ones in all steps of a row."""
    mask = scaled(rate, x, len(x), x.shape[-1])
    return x if mask is None else x * mask[:, None]


class WordsAndParts(nn.Module):
    """Words to vectors: that of the word, and the mean of those of its parts.

    After Bojanowski et al., "Enriching word vectors with subword information" (2017), with parts
    that are learnt in place of hashed ones. In training some words are hidden, of which half hide
    their parts too, and some entries dropped.

    Args:
        tokens, embedding, hidden, dropout: as of `Words`; tokens are words and parts together.
    """

    def __init__(self, tokens: int, embedding: int, hidden: float, dropout: float) -> None:
        super().__init__()
        self.hidden, self.dropout = hidden, dropout
        self.weight = nn.Parameter(torch.empty(tokens, embedding))
        nn.init.normal_(self.weight, std=START)
        with torch.no_grad():
            self.weight[PADDING] = 0.0  # which has no gradient, so that it stays

    def forward(self, x: Int[Tensor, "B T P"]) -> Float[Tensor, "B T E"]:
        """Vectors of words, given as `Lexicon.encode` gives them."""
        words, parts = x[..., 0], x[..., 1:]
        if self.training and self.hidden:
            drawn = torch.rand(words.shape, device=x.device)
            words = words.masked_fill((drawn < self.hidden) & (words != PADDING), UNKNOWN)
            parts = parts.masked_fill((drawn < self.hidden / 2)[..., None], PADDING)
        found = nn.functional.embedding(words, self.weight, PADDING)
        count = (parts != PADDING).sum(-1).clamp(min=1)
        total = nn.functional.embedding_bag(
            parts.flatten(0, 1), self.weight, mode="sum", padding_idx=PADDING
        )
        found = found + total.view_as(found) / count[..., None]
        return _some_dropped(found, self.dropout) if self.training else found

    def lower(self, builder: "Builder", x: "Sequence[Value]") -> "Value":
        """Vectors of words in a program, of what `elman_runtime.lexicon.inputs_of` makes of them.

        The vector of padding is zero, so that nothing is added for it.
        """
        word, *parts, share = x
        vectors = [builder.embedding(part, self.weight) for part in parts]
        total = vectors[0]
        for vector in vectors[1:]:
            total = builder.apply("add", total, vector)
        mean = builder.apply("mul", total, share)
        made: Value = builder.apply("add", builder.embedding(word, self.weight), mean)
        return made


class Numbers(nn.Module):
    """Inputs of a step to a vector: a linear map; in training some entries are dropped."""

    def __init__(self, inputs: int, embedding: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.linear = nn.Linear(inputs, embedding)

    def forward(self, x: Float[Tensor, "B T W"]) -> Float[Tensor, "B T E"]:
        """Vectors of steps."""
        found: Tensor = self.linear(x)
        return _some_dropped(found, self.dropout) if self.training else found

    def lower(self, builder: "Builder", x: "Value") -> "Value":
        """Vectors of steps in a program."""
        made: Value = builder.lower(self.linear, x, name="linear")
        return made


class SequenceClassifier(nn.Module):
    """Logits of the classes of a sequence.

    A step becomes a vector, a recurrence reads the vectors, what it says at every step is pooled,
    and a linear map gives the logits.

    Args:
        front: steps to vectors, E wide.
        embedding: E.
        cell: the recurrence. A cell that takes `dt` is given the gaps.
        classes: C.
        hidden, layers: of the recurrence.
        causal: forwards alone; else in both directions.
        pooling: kinds of pooling.
        around: pool what the recurrence is given as well as what it says.
        dropout: of what is pooled, and between layers; weight_drop: of U.
        gaps: whether the last input of a step is log(1 + time passed).
    """

    def __init__(
        self,
        front: nn.Module,
        embedding: int,
        cell: type[Cell],
        classes: int,
        hidden: int,
        layers: int = 1,
        *,
        causal: bool = False,
        pooling: Sequence[str] = ("max", "mean", "attention"),
        around: bool = False,
        dropout: float = 0.0,
        weight_drop: float = 0.0,
        gaps: bool = False,
    ) -> None:
        super().__init__()
        self.front, self.around, self.gaps = front, around, gaps
        # A cell that hands its input on needs it as wide as its state.
        width = hidden if "raw" in cell.inputs else embedding
        self.enter = nn.Linear(embedding, width) if width != embedding else nn.Identity()
        self.recurrent = Recurrent(
            cell,
            width,
            hidden,
            layers,
            bidirectional=not causal,
            dropout=dropout if layers > 1 else 0.0,
            weight_drop=weight_drop,
        )
        self.pooling = Pooling(self.recurrent.output_size + around * width, pooling)
        self.dropout = nn.Dropout(dropout)
        self.outer = nn.Linear(self.pooling.output_size, classes)

    def forward(
        self, x: Shaped[Tensor, "B T *W"], lengths: Int[Tensor, " B"]
    ) -> Float[Tensor, "B C"]:
        """Logits of whole sequences of unequal lengths."""
        entered = self.enter(self.front(x))
        y, _ = self.recurrent(entered, lengths=lengths, **self._gaps(x))
        y = torch.cat([y, entered], -1) if self.around else y
        found: Tensor = self.outer(self.dropout(self.pooling(y, lengths)))
        return found

    def _gaps(self, x: Tensor) -> dict[str, Tensor]:
        if "dt" not in self.recurrent.cell.inputs:
            return {}
        if self.gaps:
            return {"dt": torch.expm1(x[..., -1])}
        return {"dt": torch.ones(x.shape[:2], device=x.device)}

    def lower(self, builder: "Builder", x: "Value") -> "Value":
        """Logits in a program; in one that judges after each step, of what has been read so far."""
        front = builder.lower(self.front, x, name="front")
        entered = builder.lower(self.enter, front, name="enter")
        gaps = self._lower_gaps(builder, x, entered)
        y, _ = builder.lower(self.recurrent, entered, name="recurrent", **gaps)
        y = builder.concat(y, entered) if self.around else y
        pooled = builder.lower(self.pooling, y, name="pooling")
        logits: Value = builder.lower(self.outer, pooled, name="outer")
        return logits

    def _lower_gaps(self, builder: "Builder", x: "Value", entered: "Value") -> "dict[str, Value]":
        """What `_gaps` is, one value a unit, as programs have no way to drop the last axis."""
        if "dt" not in self.recurrent.cell.inputs:
            return {}
        if self.gaps:
            width = x.shape[-1]
            assert isinstance(width, int)
            last = builder.slice(x, width - 1, width)
            gap = builder.scale(builder.apply("exp", last), 1.0, -1.0)
        else:
            gap = builder.scale(builder.slice(entered, 0, 1), 0.0, 1.0)
        zeros = self.outer.weight.new_zeros(self.recurrent.hidden_size)
        return {"dt": builder.apply("add", gap, builder.constant("zeros", zeros))}

    def initial_state(self, batch: int) -> Any:
        """Nothing read yet."""
        return self.recurrent.initial_state(batch), self.pooling.initial_state(batch)

    def step(self, x: Shaped[Tensor, "B *W"], state: Any) -> tuple[Float[Tensor, "B C"], Any]:
        """Logits of what has been read, with one step more; in evaluation mode, if causal."""
        inner, pool = state
        x = x[:, None]
        dt: dict[str, Any] = {name: gap[:, 0] for name, gap in self._gaps(x).items()}
        entered = self.enter(self.front(x))[:, 0]
        y, inner = self.recurrent.step(entered, inner, **dt)
        y = torch.cat([y, entered], -1) if self.around else y
        pooled, pool = self.pooling.step(y, pool)
        found: Tensor = self.outer(pooled)
        return found, (inner, pool)


class MeanOfWords(nn.Module):
    """A network without a memory: the mean of the words' vectors, one hidden layer, logits.

    After Joulin et al., "Bag of tricks for efficient text classification" (2017), with a hidden
    layer.
    """

    def __init__(
        self, front: nn.Module, embedding: int, classes: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.front = front
        self.inner = nn.Linear(embedding, embedding)
        self.dropout = nn.Dropout(dropout)
        self.outer = nn.Linear(embedding, classes)

    def forward(self, x: Int[Tensor, "B T *P"], lengths: Int[Tensor, " B"]) -> Float[Tensor, "B C"]:
        """Logits of whole texts."""
        inside = torch.arange(x.shape[1], device=x.device) < lengths[:, None]
        total = (self.front(x) * inside[..., None]).sum(1)
        mean = total / lengths.clamp(min=1)[:, None]
        found: Tensor = self.outer(self.dropout(torch.relu(self.inner(mean))))
        return found

    @staticmethod
    def width_for(parameters: int, tokens: int, classes: int) -> int:
        """The width with which it has about so many parameters, at least 1."""
        b = tokens + 1 + classes
        return max(1, round((math.sqrt(b * b + 4 * (parameters - classes)) - b) / 2))


class Resampled(nn.Module):
    """A network without a memory for numbers: K points of a sequence, one hidden layer, logits."""

    POINTS = 32

    def __init__(self, inputs: int, hidden: int, classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.inner = nn.Linear(self.POINTS * inputs, hidden)
        self.dropout = nn.Dropout(dropout)
        self.outer = nn.Linear(hidden, classes)

    def forward(
        self, x: Float[Tensor, "B T W"], lengths: Int[Tensor, " B"]
    ) -> Float[Tensor, "B C"]:
        """Logits of whole sequences, each read at K points from its first step to its last."""
        share = torch.linspace(0, 1, self.POINTS, device=x.device)
        at = share * (lengths.clamp(min=1) - 1)[:, None]
        low = at.floor().long()
        high = torch.minimum(low + 1, (lengths.clamp(min=1) - 1)[:, None])
        rows = torch.arange(len(x), device=x.device)[:, None]
        part = (at - low)[..., None]
        points = x[rows, low] * (1 - part) + x[rows, high] * part
        found: Tensor = self.outer(self.dropout(torch.relu(self.inner(points.flatten(1)))))
        return found

    @staticmethod
    def hidden_for(parameters: int, inputs: int, classes: int) -> int:
        """The hidden units with which it has about so many parameters, at least 1."""
        each = Resampled.POINTS * inputs + 1 + classes
        return max(1, round((parameters - classes) / each))
