"""From what was measured of a layer to the verdicts on it."""

from elman.doctor.blocked import blocked, ignored, not_finite
from elman.doctor.fading import exploding, too_short, vanishing
from elman.doctor.measure import Measured
from elman.doctor.verdict import Verdict

CAUSES = {"inputs", "saturated", "stuck", "dead"}
"""What makes gradients vanish as well, so that this is not said too."""


def judge(one: Measured, needed: int | None = None) -> list[Verdict]:
    """The verdicts on a layer.

    Args:
        one: what was measured.
        needed: how many steps back it has to remember; None if that is not known.
    """
    if not one.finite:
        return [not_finite(one)]
    causes = [*blocked(one), *ignored(one)]
    found = causes + list(exploding(one))
    if not CAUSES & {verdict.kind for verdict in causes}:
        found += vanishing(one)
    if needed is not None and not any(v.kind == "vanishing" for v in found):
        found += too_short(one, needed)
    return found
