"""Signals that ask a stream to end: it does so between two rows, never within one."""

import signal
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

_ASKING = (signal.SIGINT, signal.SIGTERM)


class Stopped(Exception):
    """Somebody asked for the end; `number` is the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Signals:
    """Within a `with` block, SIGINT and SIGTERM raise `Stopped`, but only from `each`.

    A second one does not wait: it raises KeyboardInterrupt wherever it comes.
    """

    def __init__(self) -> None:
        self._asked: int | None = None
        self._waiting = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Signals":
        if threading.current_thread() is threading.main_thread():
            for number in _ASKING:
                # What is ignored stays so: nohup, or a shell's background job.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, _: FrameType | None) -> None:
        if self._asked is not None:
            raise KeyboardInterrupt
        self._asked = number
        if self._waiting:
            raise Stopped(number)

    def each(self, items: Iterator[Any]) -> Iterator[Any]:
        """The items; waiting for the next one ends where a signal comes."""
        while True:
            self._waiting = True
            try:
                if self._asked is not None:
                    raise Stopped(self._asked)
                item = next(items)
            except StopIteration:
                return
            finally:
                self._waiting = False
            yield item
