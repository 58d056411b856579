"""Every method on the same windows: forecasts, intervals and errors of each."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from torch import nn

from elman.tasks.forecasting.baselines import NAIVE2, REPEAT, naive2, naive_forecasts
from elman.tasks.forecasting.evaluation import Evaluation
from elman.tasks.forecasting.intervals import (
    Calibration,
    Intervals,
    Made,
    calibrate,
    out_of_fold,
    supported,
    supported_ends,
)
from elman.tasks.forecasting.metrics import Array, Scores, average, scores_of, with_owa
from elman.tasks.forecasting.splits import Part, Shape
from elman.tasks.forecasting.windows import Cut, cut, forecast, joined

Statistical = Mapping[str, Callable[[Cut], Array]]
EachSeries = dict[str, list[Made]]
EachEnds = dict[str, list[Intervals]]


class Manner(NamedTuple):
    """How every method is measured.

    - `levels`: of the intervals, in per cent.
    - `support`: of the values, see `intervals.supported`.
    """

    levels: tuple[float, ...] = ()
    support: str = "real"


PLAIN = Manner()


def evaluate(
    parts: list[Part],
    shape: Shape,
    networks: dict[str, nn.Module],
    manner: Manner = PLAIN,
    statistical: Statistical | None = None,
    calibration: Calibration | None = None,
) -> tuple[Evaluation, Calibration]:
    """Errors of the networks, the recurrent one first, and of the baselines.

    Args:
        statistical: further baselines, by name.
        calibration: of the recurrent network's intervals; by default, what these parts give.

    Returns:
        the evaluation, and how the recurrent network's intervals are made.
    """
    cuts = [cut(parts, shape, which) for which in ("validation", "test")]
    chosen, tested = (
        every_method(some, shape, networks, manner.support, statistical or {}) for some in cuts
    )
    own = next(iter(networks))
    calibrations = _calibrations(cuts[0], chosen, manner.levels)
    calibrations[own] = calibration or calibrations[own]
    folds = _out_of_fold(cuts[0], chosen, calibrations, manner.levels)
    validation, _ = _scores(cuts[0], chosen, folds, manner.support)
    ends = _intervals(cuts[1], tested, calibrations, manner.levels)
    test, rows = _scores(cuts[1], tested, ends, manner.support)
    sizes = (len(parts), shape.test, shape.h)
    kind = calibrations[own].kind
    return Evaluation(validation, test, rows, *sizes, manner.levels, kind), calibrations[own]


def _calibrations(
    cuts: list[Cut], made: EachSeries, levels: tuple[float, ...]
) -> dict[str, Calibration]:
    truth, scales = stacked(cuts)
    return {name: calibrate(together(each), truth, scales, levels) for name, each in made.items()}


def _intervals(
    cuts: list[Cut],
    made: EachSeries,
    calibrations: dict[str, Calibration],
    levels: tuple[float, ...],
) -> EachEnds:
    return {
        name: [
            calibrations[name].intervals(m, np.full(len(m.point), one.part.scale), levels)
            for m, one in zip(each, cuts, strict=True)
        ]
        for name, each in made.items()
    }


def _out_of_fold(
    cuts: list[Cut],
    made: EachSeries,
    calibrations: dict[str, Calibration],
    levels: tuple[float, ...],
) -> EachEnds:
    """Intervals of the windows they are calibrated on, each by the others of these."""
    truth, scales = stacked(cuts)
    found = {}
    for name, each in made.items():
        whole = out_of_fold(together(each), truth, scales, levels, calibrations[name].kind)
        found[name] = [
            {at: (a[rows], b[rows]) for at, (a, b) in whole.items()} for rows in _rows_of(cuts)
        ]
    return found


def calibration_of(
    parts: list[Part], shape: Shape, network: nn.Module, manner: Manner
) -> Calibration:
    """How a network's intervals are made, by the validation windows."""
    cuts = cut(parts, shape, "validation")
    made = every_method(cuts, shape, {"": network}, manner.support, {})[""]
    return calibrate(together(made), *stacked(cuts), manner.levels)


def every_method(
    cuts: list[Cut],
    shape: Shape,
    networks: dict[str, nn.Module],
    support: str,
    statistical: Statistical,
) -> EachSeries:
    """Forecasts of the windows of each series, by method."""
    found: EachSeries = {name: of_network(model, cuts, shape) for name, model in networks.items()}
    for one in cuts:
        for name, values in naive_forecasts(one.windows, shape).items():
            found.setdefault(name, []).append(Made(values))
        if shape.season > 1:
            found.setdefault(NAIVE2, []).append(Made(naive2(one, shape)))
    found |= {name: [Made(made(one)) for one in cuts] for name, made in statistical.items()}
    return {
        name: [Made(supported(m.point, support), m.quantiles) for m in each]
        for name, each in found.items()
    }


def of_network(model: nn.Module, cuts: list[Cut], shape: Shape) -> list[Made]:
    """A network's forecasts of the windows of each series."""
    windows = np.concatenate([one.windows for one in cuts])
    scales = np.concatenate([np.full(len(one.windows), one.part.scale) for one in cuts])
    known = joined([one.known for one in cuts])
    whole = split_output(forecast(model, windows, scales, shape, known))
    return [
        Made(whole.point[rows], None if whole.quantiles is None else whole.quantiles[rows])
        for rows in _rows_of(cuts)
    ]


def split_output(made: Array) -> Made:
    """What a network gives, (N, K) or with its quantiles (N, K, 1 + Q), as a forecast."""
    return Made(made) if made.ndim == 2 else Made(made[..., 0], made[..., 1:])


def together(each: list[Made]) -> Made:
    """The windows of all series, one after another."""
    quantiles = [one.quantiles for one in each if one.quantiles is not None]
    point = np.concatenate([one.point for one in each])
    return Made(point, np.concatenate(quantiles) if quantiles else None)


def stacked(cuts: list[Cut]) -> tuple[Array, Array]:
    """The truth (N, K) and the scale (N,) of the windows of all series."""
    scales = np.concatenate([np.full(len(one.truth), one.part.scale) for one in cuts])
    return np.concatenate([one.truth for one in cuts]), scales


def _rows_of(cuts: list[Cut]) -> list[slice]:
    """Where the windows of each series are among those of all."""
    ends = np.cumsum([len(one.windows) for one in cuts]).tolist()
    return [slice(a, b) for a, b in zip([0, *ends[:-1]], ends, strict=True)]


def _scores(
    cuts: list[Cut], made: EachSeries, ends: EachEnds, support: str
) -> tuple[dict[str, Scores], tuple[dict[str, Any], ...]]:
    each: list[dict[str, Scores]] = []
    reference = NAIVE2 if NAIVE2 in made else REPEAT
    for k, one in enumerate(cuts):
        scores = {
            name: scores_of(
                one.truth,
                found[k].point,
                one.part.naive,
                one.part.scale,
                supported_ends(ends[name][k], support),
            )
            for name, found in made.items()
        }
        each.append(with_owa(scores, reference))
    rows = tuple(
        {"id": one.part.id, "method": name, **scores.as_dict()}
        for one, found in zip(cuts, each, strict=True)
        for name, scores in found.items()
    )
    averages = {name: average([found[name] for found in each]) for name in made}
    return with_owa(averages, reference), rows
