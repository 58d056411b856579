"""What the benchmarks of speed share: contestants, equal numbers first, limits, kept results.

A contestant does one pass and returns its results, outputs first. What cannot take part raises
`Absent` while it is made; the reason goes into the table.
"""

import argparse
import hashlib
import json
import os
import subprocess
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from timing import RESULTS, Timing, append, interleaved, machine
from torch import Tensor

import elman
from elman.testing import assert_close
from elman.testing.tolerance import compare

ROOT = Path(__file__).resolve().parent.parent
SOURCES = (
    "src/elman",
    "runtime/CMakeLists.txt",
    "runtime/bind",
    "runtime/elman_runtime",
    "runtime/src",
    *(f"bench/{name}.py" for name in ("contest", "peers", "timing")),
)
"""What a measurement depends on, beside the benchmark's own file."""


REST = 0.1
"""Seconds between two timings on several threads: so long do idle threads of ONNX Runtime spin."""


class Absent(Exception):
    """A contestant cannot take part; says why."""


class Contestant(NamedTuple):
    """One way of doing the pass that is timed."""

    call: Callable[[], Any]
    """One pass; returns its results."""
    unpack: Callable[[Any], Sequence[Any]] = list
    """What `call` returned, as arrays in the order and layout that all contestants share."""
    rough: bool = False
    """It loses digits by its nature: how far it is off is printed, and not refused."""


class Measured(NamedTuple):
    """What one contest found."""

    seconds: dict[str, Timing]
    check: dict[str, float]
    """The worst difference from the reference, as a part of what rounding explains."""
    absent: dict[str, str]


def torch_pass(
    forward: Callable[[], Sequence[Tensor]],
    into: Sequence[Tensor] = (),
    up: Sequence[Tensor] | None = None,
) -> Callable[[], list[Tensor]]:
    """A pass in torch: outputs and, where `up` is given, the gradients of `into`.

    Args:
        forward: gives the outputs.
        into: what gradients are taken of.
        up: gradients that arrive from above, one for each output; None for inference.
    """

    def infer() -> list[Tensor]:
        with torch.no_grad():
            return list(forward())

    def train() -> list[Tensor]:
        out = list(forward())
        return out + list(torch.autograd.grad(out, list(into), list(up or ())))

    return infer if up is None else train


def gather(
    makers: Mapping[str, Callable[[], Contestant]],
) -> tuple[dict[str, Contestant], dict[str, str]]:
    """The contestants that can be made, and for each of the others why not."""
    made, absent = {}, {}
    for name, make in makers.items():
        try:
            made[name] = make()
        except Absent as reason:
            absent[name] = str(reason)
    return made, absent


def check(
    contestants: Mapping[str, Contestant], reference: str, labels: Sequence[str], terms: int
) -> dict[str, float]:
    """Refuse to time what does not give the numbers of `reference`, result by result.

    Args:
        contestants: who takes part, by name.
        reference: the one that the others are compared with.
        labels: names of the results, in order.
        terms: of the longest sum, as in `elman.testing.assert_close`.

    Raises:
        AssertionError: names the contestant and the result.
    """
    expected = _results(contestants[reference])
    worst = {}
    for name, contestant in contestants.items():
        if name == reference:
            continue
        trio = zip(labels, _results(contestant), expected, strict=True)
        look = compare if contestant.rough else assert_close
        found = (look(a, e, terms=terms, what=f"{name}: {what}") for what, a, e in trio)
        worst[name] = max(difference.ratio for difference in found)
    return worst


def _results(contestant: Contestant) -> list[Any]:
    # Copies, because some libraries lend memory that cannot be written to, which torch warns of.
    found = contestant.unpack(contestant.call())
    return [value if isinstance(value, Tensor) else np.array(value) for value in found]


def measure(
    makers: Mapping[str, Callable[[], Contestant]],
    *,
    reference: str,
    labels: Sequence[str],
    terms: int,
    rounds: int,
    untimed: Sequence[str] = (),
    beside: Mapping[str, Callable[[], Any]] | None = None,
) -> Measured:
    """Make the contestants, compare their numbers, then time them in turn.

    Args:
        makers: what makes each contestant, by name.
        reference, labels, terms: as in `check`.
        rounds: timings of each.
        untimed: who is compared and not timed.
        beside: calls that are timed too and have nothing to compare, such as a part of the work.
    """
    made, absent = gather(makers)
    worst = check(made, reference, labels, terms)
    calls = {name: one.call for name, one in made.items() if name not in untimed}
    calls |= beside or {}
    rest = REST if torch.get_num_threads() > 1 else 0.0
    return Measured(interleaved(calls, rounds=rounds, rest=rest), worst, absent)


def fastest(seconds: Mapping[str, Timing], names: Sequence[str]) -> str:
    """Which of `names` took the least time; "" where none of them took part."""
    present = [name for name in names if name in seconds]
    return min(present, key=lambda name: seconds[name].median, default="")


def ratio(seconds: Mapping[str, Timing], peer: str, ours: str = "elman") -> float:
    """How many times faster `ours` is than `peer`; NaN where the peer took no part."""
    return seconds[peer].median / seconds[ours].median if peer in seconds else float("nan")


def standings(record: Mapping[str, Any]) -> str:
    """A line for each contestant: its time, how many times faster elman is, its difference."""
    seconds = record["seconds"]
    rows = []
    for name, timing in seconds.items():
        against = "" if name == "elman" else f"   elman is {ratio(seconds, name):6.2f} x as fast"
        differs = record["check"].get(name)
        said = "" if differs is None else f"   {differs:.2g} of the allowed difference"
        rows.append(f"  {name:22}{timing!s:38}{against:30}{said}".rstrip())
    absent = [f"  {name:22}no time: {reason}" for name, reason in record["absent"].items()]
    return "\n".join([*rows, *absent])


def engine_of(layer: Any, x: Tensor, **options: Any) -> str:
    """The engine that runs `layer(x, **options)` here: the forced one, or the chosen one."""
    forced = elman.engine.forced_engine()
    return forced or elman.engine.explain(layer, x, **options).chosen


def available() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def limit(threads: int) -> str:
    """Hold torch, and where the system can pin, everything in this process to that many cores.

    JAX takes as many threads as there are cores to run on when it is first used, and no setting
    of its own limits them; so this comes before JAX is imported.

    Returns:
        What was done, in words.
    """
    torch.set_num_threads(threads)
    if threads >= available():
        return f"{threads} threads on {available()} cores, not pinned"
    if not hasattr(os, "sched_setaffinity"):
        return f"{threads} threads; this system cannot pin, so JAX may take more"
    cores = sorted(os.sched_getaffinity(0))[:threads]
    os.sched_setaffinity(0, cores)
    return f"{threads} threads, everything pinned to cores {', '.join(map(str, cores))}"


def parser(description: str, name: str, rounds: int = 7) -> argparse.ArgumentParser:
    """The flags that all benchmarks of speed have."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--threads", type=int, default=available())
    made.add_argument("--rounds", type=int, default=rounds, help="timings of each contestant")
    made.add_argument("--engine", choices=elman.engine.ENGINES, help="force one; else automatic")
    made.add_argument(
        "--append",
        action="store_true",
        help=f"keep each finished point in bench/results/{name}.jsonl",
    )
    made.add_argument(
        "--again", action="store_true", help="measure what is kept from this commit and machine too"
    )
    return made


@contextmanager
def forced(engine: str | None) -> Iterator[None]:
    """Everything within runs in that engine; without a name, each call chooses."""
    with warnings.catch_warnings(), elman.engine.use(engine):
        # Which engine ran is in the table.
        warnings.simplefilter("ignore", elman.engine.SlowPathWarning)
        yield


def once(
    name: str,
    key: Mapping[str, Any],
    run: Callable[[], Mapping[str, Any]],
    given: argparse.Namespace,
) -> dict[str, Any]:
    """The record of a point: what is kept of it, or else it is measured, and kept if asked for.

    Args:
        name: of the file in bench/results.
        key: what tells the point from others; machine and forced engine are added.
        run: measures it.
        given: flags of `parser`.
    """
    here = machine()
    mine = {name: here[name] for name in ("cpu", "flags", "threads", "torch")}
    key = {**key, **mine, "forced": given.engine, "commit": commit(f"bench/{name}.py")}
    found = None if given.again else kept(name, key)
    if found is None:
        found = {**key, **run()}
        if given.append:
            append(name, found)
    seconds = {who: Timing(*times) for who, times in found["seconds"].items()}
    return {**found, "seconds": seconds}


def kept(name: str, key: Mapping[str, Any]) -> dict[str, Any] | None:
    """The last record in bench/results/<name>.jsonl that agrees with `key`."""
    path = RESULTS / f"{name}.jsonl"
    wanted = json.loads(json.dumps(key))
    for line in reversed(path.read_text().splitlines() if path.exists() else []):
        record: dict[str, Any] = json.loads(line)
        if all(record.get(field) == value for field, value in wanted.items()):
            return record
    return None


def commit(*more: str) -> str:
    """The last commit that changed what is measured; with a digest of what differs from it."""
    sources = (*SOURCES, *more)
    last = _git("log", "-1", "--format=%h", "--abbrev=10", "--", *sources) or "unknown"
    changed = _git("status", "--porcelain", "--untracked-files=all", "--", *sources)
    if not changed:
        return last
    digest = hashlib.sha256(changed.encode())
    for line in changed.splitlines():
        path = ROOT / line[3:].rpartition(" -> ")[2].strip('"')
        digest.update(path.read_bytes() if path.is_file() else b"")
    return f"{last}-dirty-{digest.hexdigest()[:8]}"


def _git(*words: str) -> str:
    command = ["git", "-C", str(ROOT), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.rstrip()
