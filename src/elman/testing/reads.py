"""Which of its declared names a cell reads."""

from typing import Any

import numpy as np

from elman.cells import Cell
from elman.ops import Deferred


class _Noting:
    """A namespace that notes what is read from it; every value is a row of one unit."""

    def __init__(self, names: tuple[str, ...], make: Any = None) -> None:
        self.__dict__["names"], self.__dict__["noted"] = names, set()
        self.__dict__["make"] = make or (lambda: np.full((1, 1), 0.5))

    def __getattr__(self, name: str) -> Any:
        if name not in self.names:
            raise AttributeError(f"{name!r} is none of {self.names}")
        self.noted.add(name)
        return self.make()

    def __getitem__(self, index: Any) -> Any:
        picked = self.names[index]
        if isinstance(index, slice):
            return tuple(map(self.__getattr__, picked))
        return self.__getattr__(picked)


class _Product(Deferred):
    def __init__(self, of_vectors: set[str]) -> None:
        self._of_vectors = of_vectors

    def resolve(self) -> Any:
        return np.full((1, 1), 0.5)

    def __call__(self, _v: Any) -> Any:
        self._of_vectors.add("v")
        return self.resolve()


def reads(cell: type[Cell]) -> dict[str, set[str]]:
    """The names that `update`, `read` and `start` read of x, u, s and p.

    Under `u of` stands whether U multiplies another vector than the state: `u.g(v)`.
    """
    of_vectors: set[str] = set()
    x = _Noting((*cell.gates, *cell.inputs))
    u = _Noting(cell.recurrent, lambda: _Product(of_vectors))
    s, p = _Noting(cell.state), _Noting((*cell.params, *cell.constants))
    try:
        cell.update(x, u, s, p)
        if cell.read is not None:
            cell.read(_Noting(cell.state), x, p)
        if cell.start is not None:
            cell.start(p)
    except Exception as error:
        raise AssertionError(
            f"it fails on NumPy arrays, so write it in the functions of elman.ops: {error}"
        ) from error
    return {"x": x.noted, "u": u.noted, "s": s.noted, "p": p.noted, "u of": of_vectors}
