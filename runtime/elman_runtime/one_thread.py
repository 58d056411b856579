"""One thread at a time: a second one is told so at once, instead of waiting."""

import threading
from types import TracebackType


class OneThread:
    """A lock to be held while a state is used.

    >>> alone = OneThread("stream", "fork()")
    >>> with alone:
    ...     pass
    """

    def __init__(self, what: str, repair: str) -> None:
        lock = threading.Lock()
        self.acquire, self.release = lock.acquire, lock.release
        self._what, self._repair = what, repair

    def busy(self) -> RuntimeError:
        """The error of a thread that comes while another one is inside."""
        return RuntimeError(
            f"{self._what}: must be used by one thread at a time; got a second one while the "
            f"first was inside; give each thread its own ({self._repair}), or hold a lock of yours"
        )

    def __enter__(self) -> None:
        if not self.acquire(False):
            raise self.busy()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.release()
