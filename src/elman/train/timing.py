"""How long a step takes, found by trying."""

import itertools
import time

from elman.train.average import copy_into
from elman.train.budget import steps_in
from elman.train.prefetch import Batches, Prefetch
from elman.train.randomness import seed_step
from elman.train.run import Metric, Run, measure, snapshot, tensors_of_model
from elman.train.schedule import learning_rate

_SHARE = 0.04  # of the minutes
_LEAST, _MOST = 3, 100  # steps timed, after one that is not


def time_steps(run: Run, batches: Batches, metric: Metric | None, minutes: float) -> int:
    """The number of steps that fit in `minutes`.

    Some steps, at most 4 % of the time but for the first four, and an evaluation are done and
    undone: parameters and buffers are put back, the optimiser is fresh, so that a run of so many
    minutes is the same as a run of that many steps.
    """
    start = time.monotonic()
    before = snapshot(run.model)
    try:
        step = _seconds_a_step(run, batches, until=start + minutes * 60 * _SHARE)
        evaluation = _seconds_an_evaluation(run, metric, enough=minutes * 60 * _SHARE)
    finally:
        copy_into(tensors_of_model(run.model), before)
        run.stepper = run.stepper.fresh()
    interval = run.settings.evaluate_every or run.epoch_length / run.settings.accumulate
    return steps_in(minutes, time.monotonic() - start, step, evaluation, interval)


def _seconds_a_step(run: Run, batches: Batches, until: float) -> float:
    accumulate = run.settings.accumulate
    rate = learning_rate(run.settings, 0, 1)
    reader = Prefetch(batches, 0, (_MOST + 1) * accumulate)
    begun = 0.0
    try:
        for step in itertools.count():
            if step == 1:  # the first allocates, warms caches, compiles
                begun = time.monotonic()
            if step > _MOST or (step > _LEAST and time.monotonic() > until):
                break
            seed_step(run.settings.seed, step, run.stepper.device)
            run.model.train()
            run.stepper.step(run.micro_batches(step, reader), rate)
    finally:
        reader.close()
    return (time.monotonic() - begun) / (step - 1)


def _seconds_an_evaluation(run: Run, metric: Metric | None, enough: float) -> float:
    if metric is None:
        return 0.0
    first = _seconds_once(run, metric)
    # The first one warms up too; where it was short, a second one tells more.
    return _seconds_once(run, metric) if first < enough else first


def _seconds_once(run: Run, metric: Metric) -> float:
    start = time.monotonic()
    seed_step(run.settings.seed, 0, run.stepper.device)
    measure(run.model, metric)
    return time.monotonic() - start
