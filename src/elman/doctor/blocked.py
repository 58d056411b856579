"""Verdicts on what stops the signal itself: inputs, saturation, stuck gates, dead units, the loss.

The thresholds were chosen on networks that `bench/doctor.py --tune` makes; the table that
`bench/doctor.py` prints is of other seeds and sizes.
"""

from collections.abc import Iterator

import numpy as np

from elman.doctor.measure import Measured
from elman.doctor.verdict import Verdict, orthogonal

SATURATED = 0.7
"""Share of all entries of sigmoids and tanhs at their ends."""
GATE = 0.9
"""Share of the units of a gate that are stuck on one side."""
FORGETS = 0.05
"""Mean of a forget gate below which the state is lost at every step."""
STILL = 0.5
"""Share of the units of the state that never move."""
DEAD = 0.3
"""Share of relu units that are zero for every row and step."""
DRIVE = 8.0
"""Standard deviation of W x: above it the inputs are too large for what bounds them."""
WHISPER = 1e-3
"""Below it they are too small."""
NO_GRADIENT = 1e-12
"""Largest entry of dL/dh below which a loss does not depend on a layer."""
SCALE = "x = (x - x.mean((0, 1))) / x.std((0, 1))"


def not_finite(one: Measured) -> Verdict:
    """The verdict on a layer whose states are not finite."""
    if one.drive > DRIVE:
        return Verdict(
            "inputs",
            one.name,
            "Inputs are far too large: states are infinite or not a number.",
            SCALE,
            {"spread of W x": one.drive},
        )
    return Verdict(
        "not finite",
        one.name,
        "States are infinite or not a number.",
        f"{orthogonal(one)}; and look for NaN in the inputs: torch.isfinite(x).all()",
        {"largest |U|": one.norm} if one.spectra else {},
    )


def blocked(one: Measured) -> Iterator[Verdict]:
    """Inputs of the wrong size, saturation, stuck gates and dead units; the cause alone."""
    sides = [
        v
        for name, v in one.bounded.items()
        if v.kind != "relu" and not forgets(one, name) and not _kept_on_purpose(one, name)
    ]
    saturated = float(np.mean([v.saturated for v in sides])) if sides else 0.0
    drive, pull = one.drive, one.pull
    stuck, dead = list(_stuck(one)), list(_dead(one))
    evidence = {"saturated share": saturated, "spread of W x": drive, "spread of U h": pull}
    if sides and drive > DRIVE and saturated > SATURATED / 2:
        yield Verdict(
            "inputs",
            one.name,
            f"Inputs are far too large: {saturated:.0%} of all gates and units are at their ends, "
            "where no gradient passes.",
            SCALE,
            evidence,
        )
    elif one.drive_known and drive < WHISPER and one.still > STILL:
        yield Verdict(
            "inputs",
            one.name,
            "Inputs are far too small: the state hardly moves.",
            SCALE,
            evidence | {"still units": one.still},
        )
    elif stuck:
        yield from stuck
    elif saturated > SATURATED:
        yield Verdict(
            "saturated",
            one.name,
            f"{saturated:.0%} of all gates and units are at their ends, where no gradient passes.",
            orthogonal(one) if pull > drive else "elman.init.recommended_(model)",
            evidence,
        )
    elif one.still > STILL and not dead:
        yield Verdict(
            "stuck",
            one.name,
            f"{one.still:.0%} of the units of the state never move, whatever the input.",
            "elman.init.recommended_(model)",
            {"still units": one.still},
        )
    yield from dead


def _stuck(one: Measured) -> Iterator[Verdict]:
    for name, v in one.bounded.items():
        if v.kind == "relu" or v.stuck < GATE or forgets(one, name) or _kept_on_purpose(one, name):
            continue
        low = v.stuck_low > v.stuck_high
        ends = ("closed", "open") if v.kind == "sigmoid" else ("at -1", "at 1")
        yield Verdict(
            "stuck",
            one.name,
            f"{'Gate' if v.kind == 'sigmoid' else 'Value'} {name} is always {ends[0 if low else 1]}"
            f", in {v.stuck:.0%} of its units: its weights get no gradient.",
            "elman.init.recommended_(model)",
            {f"mean of {name}": v.mean, "stuck units": v.stuck, "still units": one.still},
        )


def _kept_on_purpose(one: Measured, name: str) -> bool:
    """An open forget gate keeps for long, and a closed input gate goes with it (chrono)."""
    assert one.cell is not None
    forget = one.bounded.get(one.cell.forget_gate or "")
    keeps = forget is not None and forget.mean > 0.5 and one.still <= STILL
    v = one.bounded[name]
    if name == one.cell.forget_gate:
        return keeps
    return keeps and name == one.cell.input_gate and v.stuck_low > v.stuck_high


def _dead(one: Measured) -> Iterator[Verdict]:
    for name, v in one.bounded.items():
        if v.kind == "relu" and v.stuck_low >= DEAD:
            yield Verdict(
                "dead",
                one.name,
                f"{v.stuck_low:.0%} of the relu units of {name} are zero for every row and step: "
                "they get no gradient and cannot come back.",
                "elman.init.recommended_(model), then train with a lower lr and warmup, as in "
                "FitSettings(lr=3e-4, warmup=200); or a cell without relu: Recurrent('RNN', ...)",
                {"dead units": v.stuck_low},
            )


def ignored(one: Measured) -> Iterator[Verdict]:
    if one.gradient is not None and one.gradient < NO_GRADIENT:
        yield Verdict(
            "ignored",
            one.name,
            "The loss does not depend on this layer: no gradient reaches it.",
            "let what follows read its output; look there for .detach(), torch.no_grad(), a weight "
            "of zeros, or relu units that are all dead",
            {"largest dL/dh": one.gradient},
        )


def forgets(one: Measured, name: str) -> bool:
    """Whether this is a forget gate that is almost closed."""
    v = one.bounded[name]
    return (
        one.cell is not None
        and name == one.cell.forget_gate
        and v.kind == "sigmoid"
        and v.mean < FORGETS
    )
