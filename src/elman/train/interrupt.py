"""Ctrl-C and SIGTERM: stop between two steps, or at once the second time."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Interrupts:
    """While entered, the first SIGINT or SIGTERM sets `requested`; the second raises at once.

    Only in the main thread, and only for signals whose handler is Python's own: a handler that
    the caller has set stays in charge. The handlers found are put back at the end.
    """

    def __init__(self) -> None:
        self.requested: str | None = None
        self._at_once = False
        self._found: dict[int, Any] = {}

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            for number, usual in (
                (signal.SIGINT, signal.default_int_handler),
                (signal.SIGTERM, signal.SIG_DFL),
            ):
                if signal.getsignal(number) is usual:
                    self._found[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for number, handler in self._found.items():
            signal.signal(number, handler)
        if kind is None and self.requested is not None:
            # It came after the last look: the work is done, but whoever sent it wants an end.
            raise KeyboardInterrupt(f"stopped by {self.requested}")

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        again = self.requested is not None
        self.requested = signal.Signals(number).name
        if again or self._at_once:
            raise KeyboardInterrupt(f"stopped by {self.requested}")

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Within, the first signal raises too: for work that a resumed run does again."""
        self._at_once = True
        try:
            if self.requested is not None:
                raise KeyboardInterrupt(f"stopped by {self.requested}")
            yield
        finally:
            self._at_once = False
