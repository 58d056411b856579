"""Gradients that are products of whole matrices: torch takes them, the native engine does not."""

from collections.abc import Sequence

import torch
from torch import Tensor

from elman.engine.native_arguments import Arguments, Room
from elman.engine.plans import Recurrence, prepared


def projected(
    x: Tensor, weight_ih: Tensor, bias_ih: Tensor | None, room: Tensor | None = None
) -> Tensor:
    """W x + b_ih of all steps (T*B, G*H), for x (T, B, I); in `room` where there is some."""
    x, weight = x.flatten(0, 1), weight_ih.t()
    if room is None:
        room = Room(x)(x.shape[0], weight.shape[1])
    if bias_ih is None:
        return torch.mm(x, weight, out=room)
    return torch.addmm(bias_ih, x, weight, out=room)


class Products:
    """Gradients that are products of whole matrices, from those of every step's projections.

    Args:
        a: what the call took.
        columns: the gradients of the projections (T*B, C*H).
        saved: what `Forward.saved` gave.
        before: for each state those that steps began with (T, B, S), or empty or None where not
            copied; without it none was. Where all that are multiplied are there, arrays may be
            (B, T, ...) instead.
        from_zero: whether the states of `a` are known to be zero.
    """

    def __init__(
        self,
        a: Arguments,
        columns: Tensor,
        saved: Sequence[Tensor],
        before: Sequence[Tensor | None] = (),
        *,
        from_zero: bool = False,
    ) -> None:
        self.a, self.columns, self.saved = a, columns, saved
        self.before, self.from_zero = before, from_zero
        self.prepared = prepared(a.tape)
        gates = a.weight_ih.shape[0]
        self.units = gates // len(self.prepared.tape.gates)
        self.of_gates = self._part(columns, 0, gates)  # (T*B, G*H)

    def of_inputs(
        self, dinputs: list[Tensor], needed: bool
    ) -> tuple[Tensor | None, list[Tensor | None]]:
        """Of x, and of the further inputs without `raw`, which is x."""
        a, names = self.a, self.prepared.tape.inputs
        dx = torch.mm(self.of_gates, a.weight_ih).view(a.x.shape) if needed else None
        further: list[Tensor | None] = []
        given = iter(a.inputs)
        for name, d in zip(names, dinputs, strict=True):
            if name == "raw":
                dx = dx if dx is None else dx + d
            else:
                further.append(d.sum(-1) if next(given).dim() == 2 else d)
        return dx, further

    def of_weights(self, needs: Sequence[bool], sums: Tensor | None) -> list[Tensor | None]:
        """Of W, U, b_ih and b_hh; `sums` are those of the columns, where there are biases."""
        a = self.a
        found: list[Tensor | None] = [None] * 4
        if needs[0]:
            found[0] = torch.mm(self.of_gates.t(), a.x.flatten(0, 1))
        if needs[1] and a.weight_hh is not None:
            found[1] = self._recurrent(a.weight_hh)
        if a.bias_ih is not None and sums is not None and (needs[2] or needs[3]):
            found[2] = self._part(sums, 0, a.bias_ih.shape[0])
            found[3] = None if a.bias_hh is None else self._bias(sums, a.bias_hh)
        return found

    def of_projection(self, dprojected: Tensor, needed: bool) -> Tensor | None:
        """Of V, from those of its results (T*B, P)."""
        if self.a.weight_hr is None or not needed:
            return None
        fresh = self.saved[len(self.a.state)]
        return torch.mm(dprojected.t(), fresh.flatten(0, 1))

    def _whole(self, rows: int) -> tuple[Recurrence, int] | None:
        """The one product that all rows of U have a part in, and its first column, if it is so."""
        found = self.prepared.recurrences
        if len(found) == 1 and len(found[0].runs) == 1 and found[0].runs[0][2] * self.units == rows:
            return found[0], found[0].runs[0][0] * self.units
        return None

    @staticmethod
    def _part(x: Tensor, first: int, count: int) -> Tensor:
        """Columns of the last axis; a view of all of them costs as much as a small product."""
        return x if count == x.shape[-1] else x.narrow(-1, first, count)

    def _bias(self, sums: Tensor, bias_hh: Tensor) -> Tensor:
        if (whole := self._whole(bias_hh.shape[0])) is not None:
            return self._part(sums, whole[1], bias_hh.shape[0]).clone()
        total, h = torch.zeros_like(bias_hh), self.units
        for one in self.prepared.recurrences:
            for column, row, count in one.runs:
                total[row * h : (row + count) * h] += sums[column * h : (column + count) * h]
        return total

    def _recurrent(self, weight: Tensor) -> Tensor:
        if (whole := self._whole(weight.shape[0])) is not None:
            return self._outer(self._part(self.columns, whole[1], weight.shape[0]), whole[0])
        total, h = torch.empty_like(weight), self.units
        written: set[int] = set()
        for one in self.prepared.recurrences:
            for column, row, count in one.runs:
                rows, d = slice(row * h, (row + count) * h), self.columns[:, column * h :]
                part = self._outer(d[:, : count * h], one)
                # A gate that several products use has a gradient from each.
                if written & set(range(row, row + count)):
                    total[rows] += part
                else:
                    total[rows] = part
                written |= set(range(row, row + count))
        if len(written) * h < len(weight):
            for row in set(range(len(weight) // h)) - written:
                total[row * h : (row + 1) * h] = 0
        return total

    def _outer(self, d: Tensor, one: Recurrence) -> Tensor:
        """Sum over rows and steps of gradient times vector."""
        space, number, name = one.vector
        if space == "v":
            values = self.saved[-2].flatten(0, 1)
            at = int(number or 0) * self.units
            return d.t() @ values[:, at : at + self.units]
        k = self.prepared.tape.state.index(str(name))
        if space == "new":
            fresh = self.saved[len(self.a.state) :][k] if self.a.keep else self.saved[k]
            return d.t() @ fresh.flatten(0, 1)
        before = self.before[k] if self.before else None
        if before is not None and before.numel():
            return torch.mm(d.t(), before.flatten(0, 1))
        # The state before a step is the one after the step before, but for the first.
        states, batch = self.saved[k].flatten(0, 1), self.a.x.shape[1]
        early, late = (slice(batch, None), slice(None, -batch))
        ahead, behind = (late, early) if self.a.reverse else (early, late)
        first = slice(-batch, None) if self.a.reverse else slice(None, batch)
        if self.a.x.shape[0] == 1:
            return d.t() @ self.a.state[k]
        if self.from_zero:
            return torch.mm(d[ahead].t(), states[behind])
        begun = self.a.state[k]
        if d.shape[0] <= d.shape[1]:  # to copy the states costs less than to write dU twice
            parts = (states[behind], begun) if self.a.reverse else (begun, states[behind])
            return torch.mm(d.t(), torch.cat(parts))
        return torch.addmm(d[first].t() @ begun, d[ahead].t(), states[behind])
