"""Micro-batches, read ahead by one thread."""

import queue
import threading
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Batches(Protocol):
    """Micro-batches: `len()` of them an epoch; `batches[k]` for every k from 0, past the epoch too.

    `batches[k]` depends on nothing but k and the seed they were made with. It is called by
    another thread, so it draws from a generator of its own, never from torch's global one.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, k: int, /) -> Any: ...


class Prefetch:
    """Reads micro-batches `start` to `stop` - 1 in order, at most `ahead` of them in advance."""

    def __init__(self, batches: Batches, start: int, stop: int, ahead: int = 2) -> None:
        self._ready: queue.Queue[tuple[int, Any, BaseException | None]] = queue.Queue(ahead)
        self._closing = threading.Event()
        self._thread = threading.Thread(
            target=self._read, args=(batches, start, stop), name="elman-prefetch", daemon=True
        )
        self._thread.start()

    def _read(self, batches: Batches, start: int, stop: int) -> None:
        for k in range(start, stop):
            try:
                item = (k, batches[k], None)
            except BaseException as error:  # it is the main thread's to report
                self._put((k, None, error))
                return
            if not self._put(item):
                return
        # Never wait for what will not come.
        self._put((stop, None, IndexError("micro-batch past the end of the run")))

    def _put(self, item: tuple[int, Any, BaseException | None]) -> bool:
        while not self._closing.is_set():
            try:
                self._ready.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def take(self) -> Any:
        """The next micro-batch. An exception of `batches[k]` is raised here, with a note of k."""
        k, batch, error = self._ready.get()
        if error is not None:
            error.add_note(f"raised by batches[{k}]")
            raise error
        return batch

    def close(self) -> None:
        """Stop reading. Waits for the read under way, but not for ever."""
        self._closing.set()
        self._thread.join(timeout=5.0)
