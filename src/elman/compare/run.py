"""`elman.compare.compare`: cells, and what has no recurrence, on one task."""

import dataclasses
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from elman.cells import Cell, by_name
from elman.compare.comparison import Comparison
from elman.compare.cost import seconds_a_step
from elman.compare.settings import CompareSettings
from elman.compare.trial import Trial
from elman.tasks.comparing import CONVOLUTION, FEEDFORWARD, Contest, Kind, contest_of
from elman.tasks.shared import silent

CELLS = ("RNN", "LSTM", "GRU")


def compare(
    task: str | Contest,
    data: Any = None,
    cells: Iterable[str | type[Cell]] = CELLS,
    *,
    say: Callable[[str], None] = silent,
    progress: bool | None = None,
    **settings: Any,
) -> Comparison:
    """Compare recurrent cells with what has no recurrence, on the same terms.

    Beside the cells stand a feedforward network on the same window, a causal convolution, and
    baselines that need no training. All networks have about as many parameters as the first cell
    has with the settings' hidden units, and the same budget of training and of tuning.

    Args:
        task: "forecast", "language", "classify", ...; or a `Contest` of your own, without data.
        data: as the task's estimator takes it: a path, a dataframe, a text.
        cells: names, or Cell classes; the others are matched to the first.
        say: is given a sentence for each training.
        progress: True shows progress on standard error.
        settings: fields of `CompareSettings`, of the task's settings (such as h=24) and of
            `elman.train.FitSettings`, by name.

    Raises:
        TypeError, ValueError: an argument is unknown or breaks its rule.
        elman.data.DataError: the data cannot be used.

    Example:
        >>> values = [float((k % 12 - 6) ** 2) for k in range(300)]
        >>> table = {"ds": list(range(300)), "y": values}
        >>> quick = {"h": 6, "season": 12, "hidden": 4, "steps": 5, "seeds": 1, "curve_seeds": 0}
        >>> found = compare("forecast", table, ["GRU"], **quick)
        >>> [one.name for one in found.contestants]
        ['GRU', 'feedforward', 'causal convolution']
    """
    chosen = {name: settings.pop(name) for name in _own(settings)}
    how = CompareSettings(**chosen)
    kinds = entrants(cells)
    contest = contest_of(task)(data, **settings) if isinstance(task, str) else task
    _check_budget(contest, how)
    trial = Trial(contest, how, next(iter(kinds.values())), say, progress)
    reference = _reference(trial) if how.match == "time" else None
    found = [trial.run(name, kind, reference) for name, kind in kinds.items()]
    baselines = {which: contest.baselines(which) for which in ("validation", "test")}
    return Comparison(
        contest.task,
        name_of(data),
        contest.metric,
        contest.step,
        contest.steps,
        how,
        tuple(found),
        baselines,
        contest.understood,
    )


def _own(settings: dict[str, Any]) -> list[str]:
    fields = {field.name for field in dataclasses.fields(CompareSettings)}
    return [name for name in settings if name in fields]


def entrants(cells: Iterable[str | type[Cell]]) -> dict[str, Kind]:
    """Networks by name, cells first.

    Raises:
        ValueError: there is no cell, one of them twice, or one that is not known.
    """
    found: dict[str, Kind] = {}
    for one in cells:
        cell = by_name(one) if isinstance(one, str) else one
        if cell.__name__ in found:
            raise ValueError(f"cells must differ; got {cell.__name__} twice; leave one out")
        found[cell.__name__] = cell
    if not found:
        raise ValueError("cells must be one or more; got none; give for instance ['GRU']")
    return found | {FEEDFORWARD: FEEDFORWARD, CONVOLUTION: CONVOLUTION}


def _check_budget(contest: Contest, how: CompareSettings) -> None:
    if how.match == "time" and contest.budget.epochs is not None:
        raise ValueError(
            "match='time' needs a budget of steps or minutes; got epochs; give steps instead"
        )


def _reference(trial: Trial) -> float:
    """The seconds a step of the first cell, by which the others are matched."""
    hidden, dropout = trial.contest.sizes
    model = trial.build(trial.model, hidden, dropout, seed=trial.contest.budget.seed)
    return seconds_a_step(trial.contest, model)


def name_of(data: Any) -> str:
    """What the data are called in words."""
    if isinstance(data, str | os.PathLike) and len(os.fspath(data)) < 200:
        return Path(data).name
    return "data"
