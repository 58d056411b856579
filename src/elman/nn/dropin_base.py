"""What the drop-ins `RNN`, `LSTM` and `GRU` share: torch's layer outside, engines inside."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from elman import cells
from elman.cells import Cell
from elman.engine import Call, Result, Weights, forced_engine, run, torch_first
from elman.nn.dropin_layout import Packed, Padded, arrange
from elman.nn.dropin_plain import compiled, packed, plain
from elman.nn.sequence import as_reset, check_kind
from elman_runtime import native

Lengths = Int[Tensor, " B"] | Sequence[int]
Input = Float[Tensor, "... I"] | PackedSequence
Leaves = tuple[Tensor, ...]
"""h, and c of an LSTM: each (L*D, B, H)."""

CELLS: dict[str, type[Cell]] = {
    "RNN_TANH": cells.RNN,
    "RNN_RELU": cells.RNNReLU,
    "GRU": cells.GRU,
    "LSTM": cells.LSTM,
}


class DropIn(nn.RNNBase):
    """Overrides nothing of torch's layer but `forward`."""

    weight_ih_l0: Tensor

    @property
    def cell(self) -> type[Cell]:
        """The recurrence that this layer runs."""
        return CELLS[self.mode]

    def forward(
        self,
        input: Input,
        hx: Any = None,
        *,
        lengths: Lengths | None = None,
        reset: Bool[Tensor, "B T"] | None = None,
    ) -> tuple[Any, Any]:
        """Run over whole sequences, as torch's layer of the same name does.

        Args:
            input: (T, B, I), or (B, T, I) where `batch_first`, or (T, I), or a PackedSequence.
            hx: the state before the first step, (L*D, B, H), zeros where it is None; a pair (h, c)
                for an LSTM; without B for (T, I).
            lengths: steps of each row (B,), in any order, from 0 to T. What lies beyond is not
                read, the outputs there are zero, and the final state is that of the last step.
            reset: (B, T) whatever the layout of the input: True at t means that a new document
                begins there, so no state passes between t-1 and t, in either direction.

        Returns:
            The outputs in the layout of the input, and the final state in that of hx.

        Raises:
            ValueError, TypeError: an argument has a wrong shape, dtype, device or value.
            elman.engine.EngineUnavailable: the forced engine cannot run this.
        """
        if lengths is None and reset is None:
            aten = packed if isinstance(input, PackedSequence) else plain
            way: Any = aten if self._in_aten(input) else compiled
            found: tuple[Any, Any] | None = way(self, self.cell, input, hx)
            if found is not None:
                return found
        return self._layers(*self._prepare(input, hx, lengths, reset))

    def lower(self, builder: Any, x: Any, hx: Any = None) -> Any:
        """Write this layer into a program, where the batch comes first (`elman.nn.Builder`)."""
        from elman.nn.torch_layers import lower_rnn

        return lower_rnn(builder, self, x, hx)

    def first_call(
        self,
        input: Input,
        hx: Any = None,
        *,
        lengths: Lengths | None = None,
        reset: Bool[Tensor, "B T"] | None = None,
    ) -> Call:
        """What `forward` with these arguments asks of an engine for the first layer, forwards."""
        layout, first, bounds = self._prepare(input, hx, lengths, reset)
        return self._call(0, layout.x, first, layout, bounds)

    def _in_aten(self, input: Input) -> bool:
        """Whether ATen's layers are the ones to take, all at once."""
        forced = forced_engine()
        if forced is not None:
            return forced == "torch"
        x: Tensor = input.data if isinstance(input, PackedSequence) else input
        if not (native.available and x.is_cpu and x.dtype in (torch.float32, torch.float64)):
            return True
        if isinstance(input, PackedSequence) or x.dim() != 3:
            return False
        rows, steps = x.shape[:2] if self.batch_first else (x.shape[1], x.shape[0])
        sizes = {"steps": steps, "rows": rows, "units": self.hidden_size}
        return torch_first(self.cell, x, **sizes, plain=not self.proj_size)

    # --- running ---------------------------------------------------------------------------------

    def _layers(
        self, layout: Padded | Packed, first: Leaves, reset: Tensor | None
    ) -> tuple[Any, Any]:
        """One layer and direction after the other, each in the engine that is chosen for it."""
        ways = 2 if self.bidirectional else 1
        y = layout.x
        results: list[Result] = []  # not list[Result](), which torch.compile cannot trace
        for layer in range(self.num_layers):
            calls = (
                self._call(k, y, first, layout, reset)
                for k in range(layer * ways, (layer + 1) * ways)
            )
            found = [run(call) for call in calls]
            y = found[0].output if ways == 1 else _beside([r.output for r in found])
            if self.training and self.dropout and layer + 1 < self.num_layers:
                y = layout.dropout(y, self.dropout)
            results += found
        leaves = zip(*(r.state for r in results), strict=True)
        final = tuple(layout.state_out(torch.stack(leaf)) for leaf in leaves)
        return layout.output(y), final if self.cell is cells.LSTM else final[0]

    # --- what a call is made of ------------------------------------------------------------------

    def _prepare(
        self, input: Any, hx: Any, lengths: Any, reset: Tensor | None
    ) -> tuple[Padded | Packed, Leaves, Tensor | None]:
        layout = arrange(input, self.batch_first, self.input_size, lengths, reset)
        check_kind("input", layout.x, self.weight_ih_l0)
        return layout, self._first(hx, layout), as_reset(reset, layout.x)

    def _first(self, hx: Any, layout: Padded | Packed) -> Leaves:
        """The state before the first step."""
        number = self.num_layers * (2 if self.bidirectional else 1)
        widths = (self.proj_size or self.hidden_size, self.hidden_size)[: len(self.cell.state)]
        shapes = [(number, layout.x.shape[0], width) for width in widths]
        if hx is None:
            return tuple(layout.x.new_zeros(shape) for shape in shapes)
        given = hx if self.cell is cells.LSTM else (hx,)
        if not isinstance(given, tuple | list) or len(given) != len(shapes):
            raise TypeError(f"hx must be a pair (h, c) of tensors, got {type(given).__name__}")
        pairs = zip(self.cell.state, given, shapes, strict=True)
        return tuple(_state_in(name, leaf, shape, layout) for name, leaf, shape in pairs)

    def _call(
        self, k: int, y: Tensor, first: Leaves, layout: Padded | Packed, reset: Tensor | None
    ) -> Call:
        layer, way = divmod(k, 2) if self.bidirectional else (k, 0)
        # A view that drops an axis of one costs less than a part, and so does its gradient.
        state = self.cell.State(*(x.squeeze(0) if x.shape[0] == 1 else x[k] for x in first))
        return Call(
            self.cell,
            y,
            state,
            self._weights(f"_l{layer}_reverse" if way else f"_l{layer}"),
            lengths=layout.lengths,
            reset=reset,
            start=None if reset is None else self.cell.State(*map(torch.zeros_like, state)),
            reverse=way == 1,
        )

    def _weights(self, suffix: str) -> Weights:
        # By attribute, at each call: a parametrisation or functional_call changes what it finds.
        return Weights(
            getattr(self, "weight_ih" + suffix),
            getattr(self, "weight_hh" + suffix),
            getattr(self, "bias_ih" + suffix) if self.bias else None,
            getattr(self, "bias_hh" + suffix) if self.bias else None,
            getattr(self, "weight_hr" + suffix) if self.proj_size else None,
        )


def _beside(ways: list[Tensor]) -> Tensor:
    """(B, T, O) each, one beside the other, in memory time first as torch's own outputs are."""
    return torch.cat([y.transpose(0, 1) for y in ways], -1).transpose(0, 1)


def _state_in(
    name: str, leaf: Tensor, shape: tuple[int, int, int], layout: Padded | Packed
) -> Tensor:
    number, _, width = shape
    axes, wanted = "(layers * directions, batch, units)", torch.Size(shape)
    if layout.state_axes == 2:
        axes, wanted = "(layers * directions, units)", torch.Size((number, width))
    if leaf.shape != wanted:
        raise ValueError(f"hx: {name} must be {axes} = {tuple(wanted)}, got {tuple(leaf.shape)}")
    return layout.state_in(leaf)
