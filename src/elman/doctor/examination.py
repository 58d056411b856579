"""`elman.doctor.examine`: measure the recurrent layers of a model on a batch, and judge them."""

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from elman.doctor.inspection import Trace, as_arguments, gradients_of, trace_of, watch
from elman.doctor.judge import judge
from elman.doctor.measure import Measured, measure
from elman.doctor.training import judge_past, judge_updates
from elman.doctor.verdict import Verdict
from elman.doctor.weights import Past, past, update_ratios
from elman.report.tables import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from elman.report import Section

Loss = Callable[..., Any]


@dataclass(frozen=True)
class Examination:
    """What the doctor found.

    - `layers`: what was measured of each, by name.
    - `verdicts`: illnesses first, then what is good to know.
    - `updates`: |change| / |weight| of one step of the optimiser, by matrix; empty without one.
    - `past`: what the history of the run says; None without one.
    - `batch`: in words, what it was examined on.
    """

    layers: dict[str, Measured]
    verdicts: tuple[Verdict, ...]
    updates: dict[str, float]
    past: Past | None = None
    batch: str = ""

    @property
    def healthy(self) -> bool:
        """Whether there is no illness."""
        return not any(verdict.ill for verdict in self.verdicts)

    @property
    def status(self) -> int:
        """For scripts: 0 healthy, 1 ill."""
        return 0 if self.healthy else 1

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of illness, each once."""
        return tuple(dict.fromkeys(v.kind for v in self.verdicts if v.ill))

    def summary(self) -> str:
        """One sentence."""
        if self.healthy:
            return "Healthy: no illness was found."
        return f"Ill: {', '.join(self.kinds)}."

    def table(self) -> Table:
        """The numbers of each layer."""
        return Table("", list(_HEADS), [_row(one) for one in self.layers.values()], _NOTE)

    def text(self) -> str:
        """All in words, for a terminal."""
        sentences = [one.sentence() for one in self.layers.values()]
        verdicts = [verdict.text() for verdict in self.verdicts]
        return "\n\n".join([self.summary(), *verdicts, "\n".join(sentences), self.table().text()])

    def __str__(self) -> str:
        return self.text()

    def as_dict(self) -> dict[str, Any]:
        """As JSON can hold it: numbers that are not finite are None."""
        found = {
            "healthy": self.healthy,
            "summary": self.summary(),
            "batch": self.batch,
            "verdicts": [asdict(verdict) for verdict in self.verdicts],
            "layers": {name: _layer(one) for name, one in self.layers.items()},
            "updates": self.updates,
            "past": None if self.past is None else asdict(self.past),
        }
        plain: dict[str, Any] = _plain(found)
        return plain

    def json(self) -> str:
        """The same as text."""
        return json.dumps(self.as_dict(), indent=1, allow_nan=False)

    def figure(self) -> "Figure":
        """The picture: for each layer its memory, its gates and the spectrum of U."""
        from elman.doctor.picture import examination

        return examination(self)

    def save_picture(self, path: str | os.PathLike[str]) -> None:
        """Draw the picture into a file; the ending says how: png, svg, pdf."""
        self.figure().savefig(path, dpi=130, facecolor="white")

    def section(self) -> "Section":
        """A section of an HTML page (`elman.report.Page`)."""
        from elman.doctor.pages import section

        return section(self)


def examine(
    model: nn.Module,
    batch: Any,
    loss: Loss | None = None,
    *,
    memory: int | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    history: str | os.PathLike[str] | Sequence[Mapping[str, Any]] | None = None,
    clip_norm: float | None = None,
    deep: bool = False,
    rows: int = 8,
    steps: int = 256,
    seed: int = 0,
) -> Examination:
    """Examine the recurrent layers of a model.

    It runs once in evaluation mode; neither weights, modes nor the optimiser are changed.

    Args:
        model: any module with recurrent layers (see `elman.inspect`).
        batch: without `loss`, what the model is called with: a tensor, a tuple of arguments or a
            dict. With `loss`, anything.
        loss: as `elman.train.fit` takes it: `loss(model, batch, carry)` returns a number and a
            carry, or the number alone. By default a random direction of what the model returns.
        memory: how many steps back the task needs; a layer that reaches less far is ill.
        optimizer: to measure how far one step of it would move the weights. Without `loss` that
            says something of Adam and its kin alone, whose steps do not grow with the gradient.
        history: lines of a run's `history.jsonl`, or its path.
        clip_norm: of that run, to say how many steps were clipped.
        deep: also Lyapunov exponents: a Jacobian for every step, seconds to minutes.
        rows: of the batch that are measured along time, the longest ones.
        steps: of those rows, the last ones.
        seed: of the random directions.

    Raises:
        TypeError, ValueError: there is no recurrent layer, none ran, or an argument breaks its
            rule.

    Example:
        >>> import torch, elman
        >>> _ = torch.manual_seed(0)
        >>> layer = elman.nn.Recurrent("RNN", 3, 16)
        >>> x = torch.randn(4, 40, 3)
        >>> elman.doctor.examine(layer, x).kinds
        ()
        >>> with torch.no_grad():
        ...     _ = layer.weight_hh_l0.mul_(5)
        >>> elman.doctor.examine(layer, x).kinds
        ('exploding',)
    """
    _check(memory, rows, steps)
    objective, run = _objective(model, batch, loss, seed)
    found, _, value = watch(model, run, objective)
    assert value is not None
    nodes = {name: [list(_leaves(new)) for new in one.after] for name, one in found.items()}
    gradients = gradients_of(value, nodes)
    traces = {name: trace_of(name, one, gradients[name]) for name, one in found.items()}
    layers = {
        trace.name: measure(trace, gradient, rows, steps, deep, seed)
        for trace, gradient in _longest(traces)
    }
    ratios = {} if optimizer is None else update_ratios(model, value, optimizer)
    lr = None if optimizer is None else float(optimizer.param_groups[0]["lr"])
    before = past(_lines(history), clip_norm)
    verdicts = [verdict for one in layers.values() for verdict in judge(one, memory)]
    verdicts += judge_updates(ratios, lr) + judge_past(before)
    ordered = sorted(verdicts, key=lambda verdict: not verdict.ill)
    return Examination(layers, tuple(ordered), ratios, before, _batch_words(traces))


def _check(memory: int | None, rows: int, steps: int) -> None:
    for name, value, least in (("memory", memory, 1), ("rows", rows, 1), ("steps", steps, 2)):
        if value is not None and (isinstance(value, bool) or value < least):
            raise ValueError(f"{name}: must be a whole number from {least} up, got {value}")


def _objective(
    model: nn.Module, batch: Any, loss: Loss | None, seed: int
) -> tuple[Callable[[Any], Any], Callable[[], Any]]:
    """From what `run` returns to a number, and what runs the model."""
    if loss is not None:
        return _first_of, lambda: loss(model, batch, None)
    args, kwargs = as_arguments(batch)
    return lambda output: _direction(output, seed), lambda: model(*args, **kwargs)


def _first_of(returned: Any) -> Any:
    return returned[0] if isinstance(returned, tuple) else returned


def _direction(output: Any, seed: int) -> Tensor:
    """The product of what the model returns first with a random direction."""
    tensor = next((t for t in _leaves(output) if t.is_floating_point()), None)
    if tensor is None:
        raise TypeError("model must return a tensor of real numbers, or a loss must be given")
    generator = torch.Generator().manual_seed(seed)
    v = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
    return (tensor * v.to(tensor)).sum()


def _leaves(tree: Any) -> Iterator[Tensor]:
    """The tensors of a tree, PackedSequences included; what is no tensor is passed over."""
    if isinstance(tree, Tensor):
        yield tree
    elif isinstance(tree, dict):
        for value in tree.values():
            yield from _leaves(value)
    elif isinstance(tree, tuple | list):
        for value in tree:
            yield from _leaves(value)


def _longest(traces: dict[str, Trace]) -> Iterator[tuple[Trace, float]]:
    """Of each layer the call with the most steps, and the largest gradient of all its calls."""
    calls: dict[str, list[Trace]] = {}
    for name, trace in traces.items():
        calls.setdefault(name.split("#")[0], []).append(trace)
    for each in calls.values():
        largest = float(np.max([_largest(trace) for trace in each]))
        yield max(each, key=lambda t: int(t.lengths.max(initial=0))), largest


def _largest(trace: Trace) -> float:
    """The largest entry of the gradients within the rows; NaN where one is not finite."""
    inside = np.arange(next(iter(trace.gradients.values())).shape[1]) < trace.lengths[:, None]
    return float(np.max([np.abs(g[inside]).max(initial=0.0) for g in trace.gradients.values()]))


def _lines(
    history: str | os.PathLike[str] | Sequence[Mapping[str, Any]] | None,
) -> Sequence[Mapping[str, Any]]:
    if history is None:
        return ()
    if not isinstance(history, str | os.PathLike):
        return history
    text = Path(history).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def _batch_words(traces: dict[str, Trace]) -> str:
    first = next(iter(traces.values()))
    longest = int(first.lengths.max(initial=0))
    rows = len(first.lengths)
    return f"{rows} row{'s' * (rows != 1)} of {longest} step{'s' * (longest != 1)}"


_HEADS = ("layer", "cell", "units", "reach", "half-life", "growth", "sv", "|U|", "saturated")
_NOTE = (
    "reach: steps after which an input has 1 % of its largest effect on the last output; half-life:"
    "\nsteps until half of it. growth: how much gradients grow on their way back at most. sv: the "
    "largest\nsingular value of the step's Jacobian, a median. |U|: the largest of U. saturated: "
    "entries of sigmoids\nand tanhs at their ends."
)


def _row(one: Measured) -> list[str]:
    m, sides = one.memory, [v.saturated for v in one.bounded.values() if v.kind != "relu"]
    return [
        one.name,
        "module" if one.cell is None else one.cell.__name__,
        str(one.units),
        "-" if m is None else f"{m.reach} of {m.steps}",
        "-" if m is None else f"{m.half_life:g}",
        "-" if m is None else f"{m.growth:.3g}",
        "-" if one.step is None else f"{one.step.largest:.3g}",
        f"{one.norm:.3g}" if one.spectra else "-",
        f"{np.mean(sides):.0%}" if sides else "-",
    ]


def _layer(one: Measured) -> dict[str, Any]:
    m = one.memory
    return {
        "cell": None if one.cell is None else one.cell.__name__,
        "units": one.units,
        "steps": one.steps,
        "finite": one.finite,
        "memory": None if m is None else vars(m),
        "step_singular_values": None if one.step is None else one.step.singular,
        "lyapunov_exponents": one.exponents,
        "gates": {name: asdict(value) for name, value in one.bounded.items()},
        "spread_of_inputs": one.drive,
        "spread_of_recurrence": one.pull,
        "still_units": one.still,
        "spectrum": {name: _spectrum(value) for name, value in one.spectra.items()},
        "gradient_by_distance": one.loss_gradient,
    }


def _spectrum(one: Any) -> dict[str, Any]:
    found = {"norm": one.norm, "radius": one.radius}
    if one.eigenvalues is not None:
        found |= {"real": one.eigenvalues.real, "imaginary": one.eigenvalues.imag}
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, tuple | list):
        return [_plain(entry) for entry in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value
