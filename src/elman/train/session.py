"""A training run from its first step, or the one resumed from, to its end."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

from elman.train import checkpoint, folder
from elman.train.budget import check_reached, check_same, planned_steps, resumed_timed
from elman.train.examining import Examiner, in_a_line
from elman.train.history import History
from elman.train.interrupt import Interrupts
from elman.train.prefetch import Batches, Prefetch
from elman.train.progress import Progress, metrics_text
from elman.train.randomness import seed_step
from elman.train.result import FitResult, TrainingDiverged
from elman.train.run import Metric, Run
from elman.train.schedule import learning_rate
from elman.train.step import StepReport
from elman.train.timing import time_steps
from elman.train.tree import encode

OnLog = Callable[[dict[str, Any]], None]
Stopped = Literal["budget", "patience"]


class Session:
    """One call of `fit`: from the first step, or the one resumed from, to the end."""

    def __init__(
        self,
        run: Run,
        batches: Batches,
        metric: Metric | None,
        run_dir: Path | None,
        on_log: OnLog | None,
        interrupts: Interrupts,
    ) -> None:
        self.run, self.batches, self.metric = run, batches, metric
        self.run_dir, self.on_log, self.interrupts = run_dir, on_log, interrupts
        self.settings = run.settings
        self.progress = Progress()
        self.examiner = Examiner(run)
        self.history: History | None = None
        self.saved_step, self.saved_at = -1, time.monotonic()
        self.between_steps = True  # False while the weights may be half-way

    def fit(self, resume: bool, progress: Callable[[int, int], Progress]) -> FitResult:
        started_at = self._start(resume)
        counters = self.run.counters
        with ExitStack() as stack:
            if self.run_dir is not None:
                self.history = History(self.run_dir / folder.HISTORY, counters.history)
                stack.callback(self.history.close)
            self.progress = stack.enter_context(progress(counters.total, counters.step))
            try:
                stopped = self._train()
            except KeyboardInterrupt as error:
                raise self._interrupted(error) from None
        self.run.leave_best()
        return self._result(stopped, started_at)

    def _start(self, resume: bool) -> int | None:
        """Bring the run to its first step, or to where it was. The step resumed from, if any."""
        stored = None
        if resume and self.run_dir is not None:
            stored = checkpoint.load_newest(self.run_dir, self.run.stepper.device)
        if stored is None:
            counters = self.run.counters
            if self.settings.minutes is not None:
                counters.timed = self._time_steps(self.settings.minutes)
            counters.total = planned_steps(self.settings, self.run.epoch_length, counters.timed)
            return None
        self._take_up(stored)
        return self.run.counters.step

    def _take_up(self, stored: dict[str, Any]) -> None:
        check_same(self.settings, stored["settings"])
        if stored["epoch_length"] != self.run.epoch_length:
            raise ValueError(
                f"batches must be those of the run: {stored['epoch_length']} an epoch; "
                f"got {self.run.epoch_length}; give the same data and batch size"
            )
        self.run.unpack(stored)
        counters = self.run.counters
        counters.timed = resumed_timed(self.settings, stored["settings"], counters.timed)
        counters.total = planned_steps(self.settings, self.run.epoch_length, counters.timed)
        check_reached(counters.total, counters.step)
        self.saved_step = counters.step

    def _train(self) -> Stopped:
        counters = self.run.counters
        ahead = self.settings.accumulate
        reader = Prefetch(self.batches, counters.step * ahead, counters.total * ahead)
        try:
            while True:
                self._evaluate()
                stopped = self._finished()
                if self._checkpoint_due(stopped):
                    self._save()
                if self.interrupts.requested is not None:
                    raise KeyboardInterrupt(f"stopped by {self.interrupts.requested}")
                if stopped is not None:
                    return stopped
                self._step(reader)
        finally:
            reader.close()

    def _finished(self) -> Stopped | None:
        counters, patience = self.run.counters, self.settings.patience
        if counters.step >= counters.total:
            return "budget"
        waited = patience is not None and counters.without_better >= patience
        return "patience" if waited else None

    def _step(self, reader: Prefetch) -> None:
        run = self.run
        counters, stepper = run.counters, run.stepper
        micro = run.micro_batches(counters.step, reader)
        rate = learning_rate(self.settings, counters.step, counters.total, run.plateau.scale)
        seed_step(self.settings.seed, counters.step, stepper.device)
        self.examiner.note(micro[0][1])
        run.model.train()
        self.between_steps = False
        report = stepper.step(micro, rate)
        counters.note(report)
        self.between_steps = True
        self._log_step(report, rate)
        self._check_diverged(report)
        if counters.step == 1 and self.run_dir is not None:
            encode(stepper.carry, "carry")  # refused now, not when the first checkpoint is due
        self.progress.step(counters.step, report.loss)
        self._examine()

    def _examine(self) -> None:
        found = self.examiner.examined()
        if found is None:
            return
        line, verdicts = found
        self._log(line)
        for verdict in verdicts:
            self.progress.said(in_a_line(verdict, self.run.counters.step))

    def _check_diverged(self, report: StepReport) -> None:
        counters = self.run.counters
        if counters.skipped_in_row < self.settings.max_skipped:
            return
        kept = self._last_verdict()
        if self.run_dir is not None:
            kept = f"; checkpoints of good steps are in {self.run_dir / folder.CHECKPOINTS}{kept}"
        raise TrainingDiverged(
            f"loss and gradient must be finite; in {counters.skipped_in_row} steps in a row, up to "
            f"step {counters.step}, they were not (loss {report.loss}, gradient norm "
            f"{report.norm}); start again with a lower lr (now {self.settings.lr}), a clip_norm or "
            f"a warmup, and look for NaN or very large values in the data{kept}"
        )

    def _last_verdict(self) -> str:
        last = self.examiner.last
        return "" if last is None else f". The doctor, last time: {last.summary()}"

    def _log_step(self, report: StepReport, rate: float) -> None:
        counters = self.run.counters
        due = counters.step % self.settings.log_every == 0 or counters.step == counters.total
        if not due and not report.skipped:
            return
        line = {"step": counters.step, "epoch": self._epoch(), "lr": rate, "norm": report.norm}
        if report.skipped:
            line |= {"skipped": True, "loss": report.loss}
        else:
            line |= {"loss": counters.mean_loss()}
        self._log(line | {"seconds": round(self.run.seconds(), 3)})

    def _epoch(self) -> float:
        done = self.run.counters.step * self.settings.accumulate / self.run.epoch_length
        return round(done, 4)

    def _evaluate(self) -> None:
        if self.metric is None or not self.run.evaluation_due():
            return
        step = self.run.counters.step
        seed_step(self.settings.seed, step, self.run.stepper.device)
        try:
            metrics, improved = self.run.evaluate(self.metric, self.interrupts.at_once())
        except KeyboardInterrupt:
            self._save()  # a whole number of steps is done; a resumed run evaluates again
            raise
        self._log(
            {"step": step, "epoch": self._epoch(), "metrics": metrics, "best": improved}
            | {"seconds": round(self.run.seconds(), 3)}
        )
        self.progress.evaluated(metrics_text(metrics))

    def _log(self, line: dict[str, Any]) -> None:
        if self.history is not None:
            self.history.write(line)
        if self.on_log is not None:
            self.on_log(line)

    def _checkpoint_due(self, stopped: Stopped | None) -> bool:
        step, every = self.run.counters.step, self.settings.checkpoint_every
        if self.run_dir is None or self.saved_step == step:
            return False
        asked = stopped is not None or self.interrupts.requested is not None
        if asked or self.saved_step < 0 or (every is not None and step % every == 0):
            return True
        seconds = self.settings.checkpoint_seconds
        return seconds is not None and time.monotonic() - self.saved_at >= seconds

    def _save(self) -> None:
        if self.run_dir is None or self.history is None:
            return
        self.run.counters.history = self.history.sync()
        checkpoint.write(self.run_dir, self.run.counters.step, self.run.pack())
        checkpoint.tidy(self.run_dir, self.settings.keep_checkpoints)
        self.saved_step, self.saved_at = self.run.counters.step, time.monotonic()

    def _time_steps(self, minutes: float) -> int:
        with self.interrupts.at_once():
            return time_steps(self.run, self.batches, self.metric, minutes)

    def _interrupted(self, error: KeyboardInterrupt) -> KeyboardInterrupt:
        step, saved = self.run.counters.step, self.saved_step
        if self.between_steps:
            self.run.leave_best()
        text = f"{str(error) or 'stopped'} after step {step}"
        if saved < 0:
            return KeyboardInterrupt(f"{text}; nothing was stored")
        return KeyboardInterrupt(
            f"{text}; fit with run_dir={str(self.run_dir)!r} and resume=True goes on "
            f"from step {saved}"
        )

    def _result(self, stopped: Stopped, resumed_from: int | None) -> FitResult:
        counters = self.run.counters
        return FitResult(
            steps=counters.step,
            best_step=counters.best_step if counters.best else counters.step,
            best=dict(counters.best),
            stopped=stopped,
            seconds=self.run.seconds(),
            skipped=counters.skipped,
            clipped=counters.clipped / max(1, counters.step),
            history=None if self.run_dir is None else self.run_dir / folder.HISTORY,
            resumed_from=resumed_from,
            examination=self.examiner.last,
        )
