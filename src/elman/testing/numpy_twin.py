"""A layer of a cell in NumPy, written apart from the engines: one layer, forwards, no lengths."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from elman.nn import Masks, Recurrent
from elman.ops import Deferred

Array = NDArray[Any]


class _Product(Deferred):
    def __init__(self, rows: Array, bias: Array | float, h: Array) -> None:
        self._rows, self._bias, self._h = rows, bias, h

    def resolve(self) -> Array:
        return self(self._h)

    def __call__(self, v: Any) -> Array:
        vector = v.resolve() if isinstance(v, Deferred) else v
        product: Array = vector @ self._rows.T + self._bias
        return product


class NumpyLayer:
    """The weights of a `Recurrent` of one layer, and a loop over time on arrays."""

    def __init__(self, layer: Recurrent, masks: Masks | None = None) -> None:
        self.layer, self.cell = layer, layer.cell
        self.weights = {name: _array(p) for name, p in layer.named_parameters()}
        self.masks = masks
        params = {name: self.weights[f"{name}_l0"] for name in self.cell.params}
        self.p = SimpleNamespace(**params, **layer.constants)

    def run(
        self, x: Tensor, state: Any, inputs: Mapping[str, Tensor]
    ) -> tuple[Array, tuple[Array, ...]]:
        """Outputs (B, T, O) and the final state."""
        now, outputs = tuple(_array(leaf) for leaf in state), []
        raw, further = _array(x), {name: _array(v) for name, v in inputs.items()}
        for t in range(x.shape[1]):
            columns = self._columns(raw[:, t], {n: v[:, t] for n, v in further.items()})
            now = self._step(columns, now, t)
            outputs.append(self._read(now, columns))
        return np.stack(outputs, 1), now

    def _columns(self, x: Array, further: Mapping[str, Array]) -> SimpleNamespace:
        product = x @ self.weights["weight_ih_l0"].T + self.weights.get("bias_ih_l0", 0)
        gates = np.split(product, len(self.cell.gates), -1)
        columns = dict(zip(self.cell.gates, gates, strict=True), raw=x)
        columns |= {n: v[:, None] if v.ndim == 1 else v for n, v in further.items()}
        return SimpleNamespace(**columns)

    def _step(self, x: SimpleNamespace, old: tuple[Array, ...], t: int) -> tuple[Array, ...]:
        new = self.cell.update(x, self._recurrent(old[0]), self.cell.State(*old), self.p)
        new = new if isinstance(new, tuple) else (new,)
        if self.layer.proj_size:
            new = (new[0] @ self.weights["weight_hr_l0"].T, *new[1:])
        if self.layer.zoneout is None:
            return new
        return tuple(
            o + self._taken(k, t) * (n - o) for k, (o, n) in enumerate(zip(old, new, strict=True))
        )

    def _taken(self, k: int, t: int) -> Any:
        """How much of the new value of state k is taken at step t."""
        if self.masks is None or self.masks.keep is None:
            return 1 - (self.layer.zoneout or ())[k]
        keep = self.masks.keep[0][k]
        return keep if isinstance(keep, float) else _array(keep)[:, t]

    def _recurrent(self, h: Array) -> SimpleNamespace:
        names = self.cell.recurrent
        if not names:
            return SimpleNamespace()
        if self.masks is not None and self.masks.state is not None:
            h = h * _array(self.masks.state[0])
        weight, bias = self.weights["weight_hh_l0"], self.weights.get("bias_hh_l0")
        if self.masks is not None and self.masks.weight is not None:
            weight = weight * _array(self.masks.weight[0])
        rows = np.split(weight, len(names))
        if self.cell.constrain is not None:
            rows = [_array(self.cell.constrain(torch.from_numpy(row))) for row in rows]
        biases: list[Any] = [0.0] * len(names) if bias is None else np.split(bias, len(names))
        products = (_Product(r, b, h) for r, b in zip(rows, biases, strict=True))
        return SimpleNamespace(**dict(zip(names, products, strict=True)))

    def _read(self, state: tuple[Array, ...], x: SimpleNamespace) -> Array:
        if self.cell.read is None:
            return state[0]
        values = self.cell.read(self.cell.State(*state), x, self.p)
        return np.concatenate(values, -1) if isinstance(values, tuple) else values


def _array(t: Tensor) -> Array:
    array: Array = t.detach().numpy()
    return array
