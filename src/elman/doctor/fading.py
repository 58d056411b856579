"""Verdicts on what time does to gradients: they vanish or explode on their way back.

The thresholds were chosen on networks that `bench/doctor.py --tune` makes; the table that
`bench/doctor.py` prints is of other seeds and sizes.
"""

import math
from collections.abc import Iterator

from elman.doctor.blocked import forgets
from elman.doctor.measure import Measured
from elman.doctor.verdict import Verdict, orthogonal, remembering, size

SHORTEST = 8
"""Sequences of fewer steps say nothing about what vanishes or explodes."""
REACH = 3
"""Steps: an input that changes nothing any more so soon has vanished."""
PAST = 1e-3
"""Share of the largest effect: inputs of the past that have less of it do not count."""
GROWTH = 100.0
"""Times: state gradients that grow so much on their way back explode."""
EXPONENT = 0.1
"""Lyapunov exponent per step above which a path is chaotic."""


def vanishing(one: Measured) -> Iterator[Verdict]:
    memory = one.memory
    closed = [name for name in one.bounded if forgets(one, name)]
    if memory is None or memory.steps < SHORTEST:
        return
    evidence = {"reach (steps)": float(memory.reach), "half-life (steps)": memory.half_life}
    if closed:
        gate = one.bounded[closed[0]]
        yield Verdict(
            "vanishing",
            one.name,
            f"Forget gate {closed[0]} is almost closed, so the state is lost at every step.",
            f"elman.init.forget_bias_(model, 1.0); for long dependences "
            f"elman.init.chrono_(model, t_max={max(3, memory.steps)})",
            {f"mean of {closed[0]}": gate.mean} | evidence,
        )
    elif memory.reach <= REACH or memory.past < PAST:
        words = f"An input changes nothing any more {memory.reach} steps later"
        if memory.past < PAST:
            words = "Inputs of the past change the output hardly at all"
        yield Verdict(
            "vanishing",
            one.name,
            f"{words}; gradients are lost on the way back.",
            remembering(one, memory.steps),
            evidence | {"effect of the past": memory.past} | size(one),
        )


def too_short(one: Measured, needed: int) -> Iterator[Verdict]:
    memory = one.memory
    if memory is None or memory.reach >= needed:
        return
    # Where fewer steps were measured than are needed, what fades within them is ill as well.
    if memory.reach >= memory.steps - 1:
        yield Verdict(
            "memory",
            one.name,
            f"{needed} steps of memory are needed, and only {memory.steps} were seen: an input "
            "counts through them all, and what is further back is not known.",
            f"longer sequences, and elman.doctor.examine(model, batch, steps={needed + 1})",
            {"reach (steps)": float(memory.reach), "needed (steps)": float(needed)},
            ill=False,
        )
        return
    yield Verdict(
        "vanishing",
        one.name,
        f"{needed} steps of memory are needed, and an input changes nothing any more "
        f"{memory.reach} steps later.",
        remembering(one, needed),
        {"reach (steps)": float(memory.reach), "needed (steps)": float(needed)} | size(one),
    )


def exploding(one: Measured) -> Iterator[Verdict]:
    memory = one.memory
    if memory is None or memory.steps < SHORTEST:
        return
    exponent = -math.inf if one.exponents is None else float(one.exponents[0])
    if memory.growth < GROWTH and exponent < EXPONENT:
        return
    evidence = {"growth": memory.growth} | size(one)
    if one.exponents is not None:
        evidence["Lyapunov exponent"] = exponent
    yield Verdict(
        "exploding",
        one.name,
        f"Gradients grow {memory.growth:,.0f} times on their way back over {memory.steps} steps.",
        f"{orthogonal(one)}; and clip: FitSettings(clip_norm=1.0), --clip-norm 1.0",
        evidence,
    )
