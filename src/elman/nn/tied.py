"""Tokens in and tokens out: an embedding, and an output layer that may share its weights."""

import math
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class Tied(nn.Module):
    """An embedding of V tokens, E wide, and logits from features, F wide.

    Where E = F the output layer is the embedding itself (Press and Wolf, "Using the output
    embedding to improve language models", 2017; Inan et al., 2017), unless `tied` is False;
    elsewhere it has weights of its own.

    Args:
        tokens: V.
        embedding: E.
        features: F, the width of what logits are made from.
        tied: whether to share the weights where the widths allow it.

    Example:
        >>> both = Tied(tokens=10, embedding=4, features=4)
        >>> both.logits(both.embed(torch.tensor([[1, 2, 3]]))).shape, both.tied
        (torch.Size([1, 3, 10]), True)
    """

    def __init__(self, tokens: int, embedding: int, features: int, tied: bool = True) -> None:
        super().__init__()
        self.tied = tied and embedding == features
        self.weight = nn.Parameter(torch.empty(tokens, embedding))
        self.output = None if self.tied else nn.Parameter(torch.empty(tokens, features))
        self.bias = nn.Parameter(torch.zeros(tokens))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialise anew: logits start small, whichever weights make them."""
        nn.init.normal_(self.weight, std=1 / math.sqrt(self.weight.shape[1]) if self.tied else 1.0)
        if self.output is not None:
            bound = 1 / math.sqrt(self.output.shape[1])
            nn.init.uniform_(self.output, -bound, bound)
        nn.init.zeros_(self.bias)

    def embed(self, tokens: Int[Tensor, "..."]) -> Float[Tensor, "... E"]:
        """Tokens (...) to vectors (..., E)."""
        return nn.functional.embedding(tokens, self.weight)

    def logits(self, features: Float[Tensor, "... F"]) -> Float[Tensor, "... V"]:
        """Features (..., F) to logits (..., V)."""
        weight = self.weight if self.output is None else self.output
        return nn.functional.linear(features, weight, self.bias)

    def lower_embed(self, builder: Any, tokens: Any) -> Any:
        """`embed` in a program."""
        return builder.embedding(tokens, self.weight)

    def lower_logits(self, builder: Any, features: Any) -> Any:
        """`logits` in a program; shared weights are stored once."""
        weight, name = (self.weight, "weight") if self.output is None else (self.output, "output")
        return builder.linear(features, weight, self.bias, (name, "bias"))
