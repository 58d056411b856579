"""`check_engine`: everything the library promises of a fast engine, against the slow one."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from elman.cells import Cell, builtin
from elman.engine import EngineUnavailable, Verdict, checked, use
from elman.testing import same_bits
from elman.testing.case import Case
from elman.testing.contract import fit, is_cell, own_world
from elman.testing.engine_trials import Trial, trial, trials
from elman.testing.report import CellCheckFailed, Check, Report
from elman.testing.surroundings import new_memory_is_nan, threads
from elman.testing.tolerance import Difference
from elman_runtime import native

DTYPES = (torch.float64, torch.float32)


def check_engine(
    engine: str = "native",
    *,
    cells: Sequence[type[Cell]] | None = None,
    instruction_sets: Sequence[str] | None = None,
    dtypes: Sequence[torch.dtype] = DTYPES,
    thorough: bool = False,
    seed: int = 0,
) -> Report:
    """Check that an engine gives what the reference engine gives, for whatever it says it runs.

    Outputs, final states, the states of every step and the gradients of inputs, weights, biases,
    parameters and first states are compared, with random gradients from above: at sizes of 1, of
    primes, of no rows and no steps, and of more rows than run side by side; ragged, reset, both
    directions, projected, with dropout and zoneout; with NaN in padding and in all memory that is
    not written yet; with one thread and with two. Of the native engine it is checked too that a
    row's bits depend on that row alone.

    Args:
        engine: "native" or "torch".
        cells: default: every built-in cell.
        instruction_sets: of the native engine, by the names of `elman_runtime.native.engines()`;
            default: all that this processor has.
        dtypes: precisions to check in.
        thorough: every kind of call at every size, with one thread and with two: about half an
            hour for all cells, where the default takes half a minute.
        seed: of all random numbers; the caller's random state is left as it was.

    Returns:
        One check for each cell, with the worst difference in units of what is allowed. Its notes
        name the instruction sets, and the calls that the engine does not run.

    Raises:
        CellCheckFailed: names the cell, the instruction set, the dtype, the case, what differs
            and by how much.
        EngineUnavailable: the compiled module is missing.

    Example:
        >>> import elman
        >>> report = elman.testing.check_engine("torch", cells=[elman.cells.LSTM])
        >>> report.worst < 1
        True
    """
    sets = _sets(engine, instruction_sets)
    chosen = list(builtin().values()) if cells is None else list(cells)
    for cell in chosen:
        if not is_cell(cell):
            raise TypeError(f"cells: needs Cell classes, got {cell!r}")
    runner = _Runner(engine, sets, thorough, seed)
    return Report(engine, tuple(Check.of(c.__name__, runner.check(c, dtypes)) for c in chosen))


def _sets(engine: str, asked: Sequence[str] | None) -> tuple[str, ...]:
    if checked(engine) in (None, "reference"):
        raise ValueError(f"engine: must be one of native, torch, got {engine!r}")
    if engine != "native":
        if asked is not None:
            raise ValueError(f"instruction_sets: only the native engine has them, not {engine!r}")
        return ("",)
    if not native.available:
        raise EngineUnavailable(str(native.missing_because))
    wrong = [name for name in asked or () if name not in native.engines()]
    if wrong:
        raise ValueError(
            f"instruction_sets: must be of {', '.join(native.engines())}, got {wrong[0]!r}"
        )
    return tuple(native.engines() if asked is None else asked)


@dataclass(frozen=True)
class _Runner:
    """What is asked of all cells alike."""

    engine: str
    sets: tuple[str, ...]
    thorough: bool
    seed: int

    def check(self, cell: type[Cell], dtypes: Sequence[torch.dtype]) -> Iterator[Difference | str]:
        for dtype in dtypes:
            for name, case in trials(cell, dtype, self.thorough):
                with own_world(self.seed):
                    yield from self._trial(trial(name, case), self._threads(case))
            if self.engine == "native":
                quick = same_bits.QUICK.get(dtype, same_bits.SIZES[0])
                for size in same_bits.SIZES if self.thorough else (quick,):
                    yield from self._bits(Case(cell, fit(cell, size), dtype))

    def _threads(self, case: Case) -> tuple[int, ...]:
        if self.thorough:
            return (1, 2)
        # Fewer rows go to no second thread.
        return (2,) if case.size.batch >= 13 else (1,)

    def _trial(self, one: Trial, counts: Sequence[int]) -> Iterator[Difference | str]:
        verdict = self._verdict(one)
        if not verdict.runs:
            yield f"{one.name}: not run, {verdict.reason}"
            return
        with use("reference"):
            expected = one.outcome()
        for name in self.sets:
            for count in counts:
                where = f"{one}, {count} threads"
                yield from self._named(
                    one.case, name, where, partial(self._agree, one, expected, count)
                )
            yield from (name,) if name else ()

    def _verdict(self, one: Trial) -> Verdict:
        return next(v for v in one.explain() if v.engine == self.engine)

    def _agree(self, one: Trial, expected: dict[str, Tensor], count: int) -> Iterator[Difference]:
        with use(self.engine), threads(count), new_memory_is_nan():
            found = one.outcome()
        return one.case.agree(one.name, found, expected)

    def _bits(self, case: Case) -> Iterator[Difference]:
        with own_world(self.seed):
            runs = self._verdict(trial("state passed in", case)).runs
        for name in self.sets if runs else ():
            with own_world(self.seed):
                where = f"a row's bits, {case}"
                yield from self._named(
                    case, name, where, partial(same_bits.same_bits, case, self.engine)
                )

    def _named(
        self, case: Case, name: str, where: str, run: Callable[[], Iterator[Difference]]
    ) -> Iterator[Difference]:
        """The differences that `run` finds in one instruction set; what it raises says where."""
        at = ", ".join(part for part in (case.cell.__name__, name, where) if part)
        try:
            with _instruction_set(name):
                yield from run()
        except AssertionError as error:
            raise CellCheckFailed(f"{self.engine} fails on {at}: {error}") from error
        except Exception as error:
            error.add_note(f"while checking {self.engine} on {at}")
            raise


def _instruction_set(name: str) -> AbstractContextManager[Any]:
    return native.use_instruction_set(name) if name else nullcontext()
