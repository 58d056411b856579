"""Progress on standard error: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

_SECONDS_BETWEEN_LINES = 30.0


class Progress:
    """Says nothing. What `fit` uses unless it is asked to show progress."""

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def step(self, step: int, loss: float) -> None:
        """`step` steps are done; `loss` is the last one's."""

    def evaluated(self, text: str) -> None:
        """The metrics of an evaluation, as text: shown with the steps that follow."""

    def said(self, line: str) -> None:
        """Something that a person should read: a line of its own."""

    def close(self) -> None:
        """No more will come."""


class Lines(Progress):
    """A plain line at the start, every half minute and at the end."""

    def __init__(self, total: int, start: int) -> None:
        self._total, self._start = total, start
        self._begun = self._said = time.monotonic()
        self._metrics = ""

    def step(self, step: int, loss: float) -> None:
        now = time.monotonic()
        if (
            step == self._start + 1
            or step == self._total
            or now - self._said >= _SECONDS_BETWEEN_LINES
        ):
            self._said = now
            left = (now - self._begun) / (step - self._start) * (self._total - step)
            self._print(f"step {step}/{self._total}  loss {loss:.4g}  about {clock(left)} left")

    def evaluated(self, text: str) -> None:
        self._metrics = "  " + text

    def said(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    def _print(self, text: str) -> None:
        print(text + self._metrics, file=sys.stderr, flush=True)


class Bar(Progress):
    """A bar with the loss, the step and an estimate of the time left."""

    def __init__(self, total: int, start: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._bar = RichProgress(
            TextColumn("step {task.completed:.0f}/{task.total:.0f}"),
            BarColumn(),
            TextColumn("loss {task.fields[loss]}  {task.fields[metrics]}", markup=False),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task("fit", total=total, completed=start, loss="-", metrics="")
        self._bar.start()

    def step(self, step: int, loss: float) -> None:
        self._bar.update(self._task, completed=step, loss=f"{loss:.4g}")

    def evaluated(self, text: str) -> None:
        self._bar.update(self._task, metrics=text)

    def said(self, line: str) -> None:
        self._bar.console.print(line, markup=False, highlight=False)

    def close(self) -> None:
        self._bar.stop()


def show_progress(wanted: bool | None) -> Callable[[int, int], Progress]:
    """What shows progress, made from the total and the steps already done.

    `wanted`: True shows a bar on a terminal and lines elsewhere; None and False show nothing.
    """
    if not wanted:
        return _silent
    return Bar if sys.stderr.isatty() else Lines


def _silent(_total: int, _start: int) -> Progress:
    return Progress()


def clock(seconds: float) -> str:
    """A duration for people: 45 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def metrics_text(metrics: dict[str, Any]) -> str:
    """Metrics in a line."""
    return "  ".join(f"{name} {value:.6g}" for name, value in metrics.items())
