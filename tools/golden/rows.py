"""Random weights and arguments for a cell, and a file of what an implementation makes of them.

Every implementation is a function `step(weights, x, further, state) -> (output, state)` of one row
at one time: `x` (I,), `further` a dict of further inputs, states a tuple of (H,), all float64.
"""

import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Step = Callable[[dict[str, Array], Array, dict[str, Array], tuple[Array, ...]], Any]
FOLDER = Path(__file__).parents[2] / "tests/cells/golden"
B, T, I, H = 3, 5, 3, 4  # noqa: E741
LENGTHS = [1, 3, 5]


def record(
    cell: str,
    source: str,
    step: Step,
    shapes: Mapping[str, tuple[int, ...]],
    *,
    states: tuple[str, ...] = ("h",),
    inputs: tuple[str, ...] = (),
    width: int = I,
    between: Mapping[str, tuple[float, float]] | None = None,
    options: Mapping[str, Any] | None = None,
) -> None:
    """Draw, compute row by row up to each length, and write `<cell>.json`.

    Args:
        shapes: of the parameters, without the suffix `_l0`.
        inputs: names of further inputs, one value a row and step.
        width: of the input.
        between: bounds of the uniform draw of a parameter or state, in place of -0.8 and 0.8.
        options: of the layer.
    """
    rng = np.random.default_rng(zlib.crc32(cell.encode()))
    draw = _Draw(rng, between or {})
    weights = {name: draw(name, shape) for name, shape in shapes.items()}
    x = rng.normal(size=(B, T, width))
    further = {name: rng.uniform(0.2, 2.0, (B, T)) for name in inputs}
    first = {name: draw(name, (B, H)) for name in states}
    y, final = _run(step, weights, x, further, tuple(first.values()))
    arguments = {"x": x, **further, "gradient of outputs": rng.normal(size=y.shape)}
    arguments |= {f"state {name} of l0 passed in": value for name, value in first.items()}
    arguments |= {f"gradient of final state {n} of l0": rng.normal(size=(B, H)) for n in states}
    expected = {"outputs": y}
    expected |= {f"final state {n} of l0": v for n, v in zip(states, final, strict=True)}
    text = {
        "cell": cell,
        "source": source,
        "options": dict(options or {}),
        "weights": _lists({f"{name}_l0": value for name, value in weights.items()}),
        "arguments": _lists(arguments) | {"lengths": LENGTHS},
        "expected": _lists(expected),
    }
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{cell}.json").write_text(json.dumps(text, indent=1) + "\n")
    print(f"{cell}: {source}")


class _Draw:
    def __init__(
        self, rng: np.random.Generator, between: Mapping[str, tuple[float, float]]
    ) -> None:
        self.rng, self.between = rng, between

    def __call__(self, name: str, shape: tuple[int, ...]) -> Array:
        return self.rng.uniform(*self.between.get(name, (-0.8, 0.8)), shape)


def _run(
    step: Step,
    weights: dict[str, Array],
    x: Array,
    further: dict[str, Array],
    first: tuple[Array, ...],
) -> tuple[Array, list[Array]]:
    rows, finals = [], []
    for b, length in enumerate(LENGTHS):
        state = tuple(s[b] for s in first)
        outputs = []
        for t in range(length):
            now = {name: value[b, t] for name, value in further.items()}
            y, state = step(weights, x[b, t], now, state)
            outputs.append(np.asarray(y, dtype=np.float64))
        beyond = [np.zeros_like(outputs[0])] * (T - length)
        rows.append(np.stack(outputs + beyond))
        finals.append(np.stack(state))
    return np.stack(rows), list(np.stack(finals, 1))


def _lists(arrays: Mapping[str, Array]) -> dict[str, Any]:
    return {name: np.asarray(value).tolist() for name, value in arrays.items()}
