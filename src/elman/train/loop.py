"""`fit`: the training loop."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from elman.train import folder
from elman.train.check import check_arguments
from elman.train.interrupt import Interrupts
from elman.train.prefetch import Batches
from elman.train.progress import show_progress
from elman.train.randomness import forked_generators
from elman.train.result import FitResult
from elman.train.run import Run
from elman.train.session import OnLog, Session
from elman.train.settings import FitSettings
from elman.train.step import Stepper

Model = TypeVar("Model", bound=nn.Module)
_DEFAULTS = FitSettings()


def fit(
    model: Model,
    batches: Batches,
    loss: Callable[[Model, Any, Any], tuple[Tensor, Any]],
    metric: Callable[[Model], dict[str, float]] | None = None,
    settings: FitSettings = _DEFAULTS,
    run_dir: str | Path | None = None,
    *,
    resume: bool = False,
    on_log: OnLog | None = None,
    progress: bool | None = None,
) -> FitResult:
    """Train `model` in place; afterwards it holds the best averaged weights.

    - `batches`: micro-batches; `len(batches)` of them are an epoch, `batches[k]` is the k-th since
      the start (k runs past the epoch) and depends on k alone. See `Batches`. Its tensors are
      moved to the model's device.
    - `loss(model, batch, carry)` returns `(loss, carry)`: a tensor of one number, the mean over
      the batch, and what the next micro-batch is given, detached. The carry is None at each
      epoch's start and after a skipped step that left it not finite. It is a tree of tensors,
      None, bool, int, float, str, tuples, lists, dicts and NamedTuples. After a resume a
      NamedTuple is one of the same name and fields, but not of the same class.
    - `metric(model)` returns a dict of numbers, the first to be minimised. It is called with the
      averaged weights, in evaluation mode, without gradients.
    - `run_dir`: gets `history.jsonl` and `checkpoints/`; None writes nothing.
    - `resume`: go on from the newest checkpoint in `run_dir` that verifies (from the start if
      there is none yet). A run killed at any moment ends with the same weights, bit for bit, on
      a CPU with the same number of threads.
    - `on_log(line)`: called with each line of the history, a dict.
    - `progress`: True shows a bar on a terminal and a line now and then elsewhere, on standard
      error; None and False show nothing.

    A step whose loss or gradient is not finite changes nothing but the count of steps. Step k
    draws from torch's generators seeded by (seed, k); they are put back at the end. With a metric
    the model ends with the weights of the best evaluation, else with the averaged weights.

    Ctrl-C or SIGTERM stops after the step under way, writes a checkpoint, leaves the best averaged
    weights in the model and raises KeyboardInterrupt, whose message says how to resume; a second
    one stops at once.

    Raises:
        TrainingDiverged: `settings.max_skipped` steps in a row were not finite.
        FileExistsError: `run_dir` holds a run and `resume` is False.
        ValueError, TypeError: an argument breaks a rule, the settings are not those of the run to
            be resumed, or no checkpoint verifies.
        OSError: the run folder cannot be written. Checkpoints already written stay.
    """
    check_arguments(model, batches, loss, metric, settings, run_dir, resume)
    run_path = None if run_dir is None else Path(run_dir)
    with ExitStack() as stack:
        if run_path is not None:
            folder.prepare(run_path, resume)
            stack.enter_context(folder.locked(run_path))
        stack.enter_context(_modes_kept(model))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        run = Run(Stepper(model, loss, settings), settings, len(batches))
        stack.enter_context(forked_generators(run.stepper.device))
        interrupts = stack.enter_context(Interrupts())
        session = Session(run, batches, metric, run_path, on_log, interrupts)
        return session.fit(resume, show_progress(progress))


@contextmanager
def _modes_kept(model: nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
