"""What `bench/layers.py` prints of its records: a line for each point, means, the picture.

A record is what was kept of a point, with `seconds` by contestant; docs/images/layers.svg shows
the ratios of training.
"""

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from contest import ROOT, fastest, ratio
from peak import limit_of

from elman.report import Table

Record = dict[str, Any]
HIDDEN = (64, 128, 256, 512)
BATCH = (1, 8, 32, 128)
"""The grid, with T = 100."""
PEERS = ("torch", "JAX", "ONNX Runtime")
PICTURE = ROOT / "docs" / "images" / "layers.svg"
GROUPS: dict[str, Callable[[int], bool]] = {
    "B = 1": lambda b: b == 1,
    "B = 8": lambda b: b == 8,
    "B >= 32": lambda b: b >= 32,
}
TARGETS = {
    "GRU": ((8, 15), (4, 6), (1.7, 2.2)),
    "RNN": ((8, 15), (4, 6), (1.8, 2.5)),
    "LSTM": ((1.5, 2), (1.3, 1.6), (1.1, 1.3)),
}
"""Reach and stretch of training against torch, for each of the groups."""
CLOSE = 0.9
"""The share of the fastest peer's speed that no point may fall below."""


def name_of(record: Record) -> str:
    """A point in words."""
    extra = " float64" if record["dtype"] == "float64" else ""
    extra += f" P {record['projection']}" if record["projection"] else ""
    return (
        f"{record['mode']:5} {record['cell']:4} H {record['hidden']:<3} B {record['batch']:<3} "
        f"T {record['steps']}{extra}"
    )


def heading() -> str:
    """Above the lines of points."""
    names = "".join(f"{name:>13}" for name in PEERS)
    return (
        f"\n{'milliseconds':37}{'elman':>9}  {'middle half':17} {'engine':9}{names}"
        f"{'/torch':>8}{'/fastest':>9}  {'GFLOP/s':>7} of the peak"
    )


def line(record: Record) -> str:
    """One point: times, ratios (above 1, elman is faster), rate."""
    seconds = record["seconds"]
    ours = seconds["elman"]
    middle = f"({ours.low * 1e3:.3g} to {ours.high * 1e3:.3g})"
    best = fastest(seconds, PEERS)
    rate = record["flops"] / ours.median
    text = (
        f"{name_of(record):37}{ours.median * 1e3:9.3f}  {middle:17} {record['engine']:9}"
        + "".join(f"{_milliseconds(record, peer):>13}" for peer in PEERS)
        + f"{ratio(seconds, 'torch'):8.2f}{ratio(seconds, best):9.2f}"
        + f"  {rate / 1e9:7.1f}{rate / limit_of(record['peak'])[0]:6.2f}"
    )
    if "Recurrent" in seconds:
        text += f"  Recurrent {seconds['Recurrent'].median * 1e3:.3f}"
    return text


def _milliseconds(record: Record, peer: str) -> str:
    found = record["seconds"].get(peer)
    return "-" if found is None else f"{found.median * 1e3:.3f}"


def summary(records: Sequence[Record]) -> str:
    """Who took no part, means by cell and batch, what is slower than the fastest peer, the rest."""
    parts = [_absent(records), _means(records), _slow(records), _rates(records)]
    parts += [_apart(records, "float64"), _apart(records, "projection")]
    return "\n" + "\n\n".join(filter(None, parts))


def _absent(records: Sequence[Record]) -> str:
    reasons: dict[str, list[str]] = {}
    for record in records:
        for peer, reason in record["absent"].items():
            reasons.setdefault(f"{peer}: {reason}", []).append(record["mode"])
    return "\n".join(f"no time of {why} ({len(at)} points)" for why, at in reasons.items())


def grid(records: Iterable[Record]) -> list[Record]:
    """The points of the grid, of which means are taken."""
    plain = [r for r in records if _plain(r) and r["steps"] == 100]
    return [r for r in plain if r["hidden"] in HIDDEN and r["batch"] in BATCH]


def _plain(record: Record) -> bool:
    return record["dtype"] == "float32" and not record["projection"]


def geometric(values: Sequence[float]) -> float:
    """The geometric mean; NaN of nothing."""
    return math.exp(statistics.fmean(map(math.log, values))) if values else math.nan


def _means(records: Sequence[Record]) -> str:
    heads = ["", "mode", "batch", "points", "/torch", "reach", "stretch", "/fastest peer", "lowest"]
    rows = []
    for mode in ("train", "infer"):
        for cell, targets in TARGETS.items():
            for (group, holds), target in zip(GROUPS.items(), targets, strict=True):
                at = [r for r in grid(records) if r["mode"] == mode and r["cell"] == cell]
                at = [r for r in at if holds(r["batch"])]
                if at:
                    wanted = [f"{t:g}" for t in target] if mode == "train" else ["", ""]
                    rows.append([cell, mode, group, str(len(at)), *_ratios(at, wanted)])
    title = "Geometric means over the grid of how many times faster elman is"
    return Table(title, heads, rows).text() if rows else ""


def _ratios(at: Sequence[Record], wanted: list[str]) -> list[str]:
    over_torch = geometric([ratio(r["seconds"], "torch") for r in at])
    over_best = [to_fastest(r) for r in at]
    means = [f"{over_torch:.2f}", *wanted, f"{geometric(over_best):.2f}"]
    return [*means, f"{min(over_best):.2f}"]


def to_fastest(record: Record) -> float:
    """How many times faster elman is than the fastest peer at this point."""
    return ratio(record["seconds"], fastest(record["seconds"], PEERS))


def _slow(records: Sequence[Record]) -> str:
    plain = [r for r in records if _plain(r)]
    if not plain:
        return ""
    slow = sorted((r for r in plain if to_fastest(r) < CLOSE), key=to_fastest)
    mean = geometric([to_fastest(r) for r in plain])
    said = [
        f"  {name_of(r)}: {to_fastest(r):.2f} of {fastest(r['seconds'], PEERS)} ({r['engine']})"
        for r in slow
    ]
    return "\n".join(
        [
            f"against the fastest peer: mean {mean:.2f} over {len(plain)} points (stretch 1.5)",
            f"any point below {CLOSE} of the fastest peer: {len(slow) or 'none'}",
            *said,
        ]
    )


def _rates(records: Sequence[Record]) -> str:
    large = [r for r in records if r["mode"] == "train" and _plain(r)]
    large = [r for r in large if r["hidden"] >= 256 and r["batch"] >= 32]
    if not large:
        return ""
    limits = {limit_of(r["peak"])[1] for r in large}
    shares = [r["flops"] / r["seconds"]["elman"].median / limit_of(r["peak"])[0] for r in large]
    return (
        f"training at H >= 256, B >= 32, fraction of the {' or '.join(sorted(limits))}: "
        f"{min(shares):.2f} to {max(shares):.2f}, mean {geometric(shares):.2f} "
        "(reach 0.5 of the FMA limit, stretch 0.65)"
    )


def _apart(records: Sequence[Record], kind: str) -> str:
    at = [r for r in records if (r["dtype"] == kind if kind == "float64" else r["projection"])]
    rows = [f"  {name_of(r)}: {ratio(r['seconds'], 'torch'):.2f} x torch" for r in at]
    title = {"float64": "float64", "projection": "LSTM with projection"}[kind]
    return "\n".join([f"{title} (reach 1, stretch 2):", *rows]) if rows else ""


def draw(records: Sequence[Record], path: Path = PICTURE) -> Path:
    """Ratios of training over the grid: to torch above, to the fastest peer below."""
    from elman.report import plots

    at = [r for r in grid(records) if r["mode"] == "train"]
    cells = [cell for cell in TARGETS if any(r["cell"] == cell for r in at)]
    if not cells:
        raise SystemExit("--picture: there is no point of the grid in training to draw")
    figure, axes = plots.figure(2, len(cells), height=2.6)
    rows = {"torch": over_torch, "the fastest peer": to_fastest}
    for k, (peer, value) in enumerate(rows.items()):
        row = axes[k * len(cells) : (k + 1) * len(cells)]
        for ax, cell in zip(row, cells, strict=True):
            ax.sharey(row[0])
            _curves(ax, [r for r in at if r["cell"] == cell], value)
            title = f"{cell}, times faster than {peer}"
            ax.set_title(title, color=plots.INK, fontsize=8.5, loc="left")
            ax.set_xlabel("hidden units", color=plots.INK, fontsize=8)
    lines, names = axes[0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="svg", facecolor="white", metadata={"Date": None})
    return path


def over_torch(record: Record) -> float:
    """How many times faster elman is than torch at this point."""
    return ratio(record["seconds"], "torch")


def _curves(ax: Any, records: Sequence[Record], value: Callable[[Record], float]) -> None:
    """A line for each batch, the darker the larger, against hidden units."""
    from elman.report import plots

    for batch in sorted({r["batch"] for r in records}):
        row = sorted((r for r in records if r["batch"] == batch), key=lambda r: r["hidden"])
        ax.plot(
            [r["hidden"] for r in row],
            [value(r) for r in row],
            "o-",
            color=plots.MODEL,
            alpha=0.35 + 0.65 * BATCH.index(batch) / (len(BATCH) - 1),
            linewidth=1.4,
            markersize=3,
            label=f"B {batch}",
        )
    ax.axhline(1, color=plots.BASELINE, linewidth=1.0, linestyle="--")
    ax.set_xscale("log", base=2)
    ax.set_yscale("log", base=2)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_major_formatter("{x:g}")
