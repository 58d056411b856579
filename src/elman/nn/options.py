"""The arguments of a recurrent layer, checked."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from elman.cells import Cell, by_name


@dataclass(frozen=True)
class Rates:
    """Shares that are dropped in training, each from 0 to below 1; see `Recurrent`."""

    dropout: float = 0.0
    input_dropout: float = 0.0
    output_dropout: float = 0.0
    state_dropout: float = 0.0
    weight_drop: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, _share(field.name, getattr(self, field.name)))

    def any(self) -> bool:
        """Whether anything is dropped."""
        between = self.dropout or self.input_dropout or self.output_dropout
        return bool(between or self.state_dropout or self.weight_drop)


def _share(name: str, value: Any) -> float:
    if not isinstance(value, int | float) or not 0 <= value < 1:
        raise ValueError(f"{name}: must be a share from 0 to below 1, got {value!r}")
    return float(value)


def zoneout_rates(
    zoneout: float | Mapping[str, float], states: tuple[str, ...]
) -> tuple[float, ...] | None:
    """One share for each state, or None where nothing is kept."""
    by_name = zoneout if isinstance(zoneout, Mapping) else dict.fromkeys(states, zoneout)
    unknown = set(by_name) - set(states)
    if unknown:
        raise ValueError(f"zoneout: {min(unknown)!r} is none of the states {states}")
    rates = tuple(_share(f"zoneout[{name!r}]", by_name.get(name, 0.0)) for name in states)
    return rates if any(rates) else None


def as_cell(cell: Any) -> type[Cell]:
    """A cell given as a class or by name."""
    if isinstance(cell, str):
        return by_name(cell)
    if isinstance(cell, type) and issubclass(cell, Cell):
        return cell
    raise TypeError(
        "cell must be a Cell class, its name, or a module with initial_state(batch) and "
        f"step(x, state); got {cell!r}"
    )


def positive(name: str, value: Any, least: int = 1) -> int:
    """A whole number from `least` up."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name}: must be a whole number from {least} up, got {value!r}")
    return value


def constants_of(cell: type[Cell], given: Mapping[str, float] | None) -> dict[str, float]:
    """The cell's constants, with those that are given in place of its own."""
    unknown = set(given or ()) - set(cell.constants)
    if unknown:
        raise ValueError(
            f"constants: {cell.__name__} has {tuple(cell.constants)}, got {min(unknown)!r}"
        )
    return {**cell.constants, **(given or {})}


def settings_of(layer: Any) -> dict[str, Any]:
    """The arguments that make a `Recurrent` like this one, as JSON can hold them."""
    zoneout = dict(zip(layer.cell.state, layer.zoneout, strict=True)) if layer.zoneout else 0.0
    return {
        "cell": layer.cell.__name__,
        **{name: getattr(layer, name) for name in ("input_size", "hidden_size", "layers")},
        "bidirectional": layer.directions > 1,
        **{name: getattr(layer, name) for name in ("bias", "proj_size", "residual")},
        **{name: getattr(layer, name) for name in ("layer_norm", "learn_initial_state")},
        **asdict(layer.rates),
        "zoneout": zoneout,
        "clip_steps": layer.clip_steps,
        "constants": layer.constants,
        "engine": layer.engine,
    }
