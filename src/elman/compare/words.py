"""What a comparison comes to, in words."""

import math
from typing import NamedTuple

from elman.compare.comparison import Comparison
from elman.compare.interval import Mean, difference, mean
from elman.compare.trial import Contestant

_SHOWN = 0.05  # per cent: less is a tie
_ALONE = 1.0  # per cent: what a single seed must show
_NEAR = 1.01  # of the best: as good
_OTHER = 1.05  # times the best on the test: another than validation chose
_FASTER = 1.5


class Rival(NamedTuple):
    """What has no recurrence and is best on validation; `seconds` of training, None for none."""

    name: str
    validation: list[float]
    test: list[float]
    seconds: float | None = None


def rival(one: Comparison) -> Rival:
    """The best network or baseline without a recurrence, on validation."""
    found = [
        Rival(c.name, c.validation, c.test, c.seconds) for c in one.contestants if not c.recurrent
    ]
    found += [
        Rival(name, [score], [one.baselines["test"][name]])
        for name, score in one.baselines["validation"].items()
    ]
    return min(found, key=lambda other: mean(other.validation).value)


def _lead(one: Comparison) -> tuple[Contestant, Rival, Mean, float]:
    """The best cell, the best other, the difference on validation, and that in per cent."""
    cell, other = one.recurrent, rival(one)
    apart = difference(cell.validation, other.validation)
    level = mean(other.validation).value
    if not level:  # an error rate of zero: what is not as good is worse beyond any share of it
        return cell, other, apart, -math.inf if apart.value > 0 else 0.0
    return cell, other, apart, -100 * apart.value / level


def worth(one: Comparison) -> bool:
    """Whether the best cell is better than all others on validation, beyond chance."""
    _, _, apart, gain = _lead(one)
    if apart.half is None:
        return gain >= _ALONE
    return gain >= _SHOWN and apart.value + apart.half < 0


def verdict(one: Comparison) -> str:
    """Whether a recurrent network is worth it."""
    cell, other, apart, gain = _lead(one)
    ours, theirs = mean(cell.validation).text(), mean(other.validation).text()
    scores = f"on validation {cell.name} comes to {ours} and {other.name} to {theirs} {one.metric}"
    tested = f"On the test: {mean(cell.test).text()} and {mean(other.test).text()}."
    if worth(one):
        return (
            f"A recurrent network is worth it here: {cell.name} is {gain:.1f} % better than "
            f"{other.name}, the best without a recurrence; {scores}. {tested}"
        )
    bar = _SHOWN if apart.half is not None else _ALONE
    if gain <= -bar and (apart.half is None or apart.value - apart.half > 0):
        better = f"{-gain:.1f} % better" if math.isfinite(gain) else "better"
        return (
            f"A recurrent network is NOT worth it here: {other.name} is {better}; "
            f"{scores}. {tested}"
        )
    count = one.settings.seeds
    return (
        f"A recurrent network is NOT shown to be worth it here: {count} seed{'s' * (count > 1)} "
        f"cannot tell {cell.name}, the best cell, from {other.name}; {scores}. {tested}"
    )


def remarks(one: Comparison) -> list[str]:
    """What the test, costs and curves say of the best cell, a sentence or two each."""
    cell = one.recurrent
    each = (_tested(one, cell), _cost(one, cell), _dependence(one, cell), _order(one, cell))
    return [words for words in each if words]


def _tested(one: Comparison, cell: Contestant) -> str:
    """Whether the test has another best than validation."""
    other = rival(one)
    lost = mean(other.validation).value < mean(cell.validation).value
    chosen = other.name if lost else cell.name
    scores = {c.name: mean(c.test).value for c in one.contestants} | one.baselines["test"]
    best = min(scores, key=scores.__getitem__)
    if _OTHER * scores[best] >= scores[chosen]:
        return ""
    return (
        f"Validation and test disagree: on the test {best} is best with {scores[best]:.3f} "
        f"{one.metric}, and {chosen}, the best on validation, comes to "
        f"{scores[chosen]:.3f}. With so few data neither is to be trusted far."
    )


def _cost(one: Comparison, cell: Contestant) -> str:
    other = rival(one)
    if other.seconds is None:
        if worth(one):
            return ""
        return (
            f"{other.name} needs no training by gradients; {cell.name} took {cell.seconds:.0f} s."
        )
    ratio = cell.seconds / max(other.seconds, 1e-9)
    if one.settings.match == "time" or 1 / _FASTER < ratio < _FASTER:
        return ""
    if ratio >= _FASTER:
        return f"{other.name} trains {ratio:.1f} times as fast as {cell.name}."
    return f"{cell.name} trains {1 / ratio:.1f} times as fast as {other.name}."


def _dependence(one: Comparison, cell: Contestant) -> str:
    """How many steps it needs to see."""
    if len(cell.lengths) < 2:
        return ""
    scores = {steps: mean(values).value for steps, values in cell.lengths.items()}
    best, most = min(scores.values()), max(scores)
    enough = min(steps for steps, score in scores.items() if score <= _NEAR * best)
    if enough == most:
        less = max(steps for steps in scores if steps < most)
        return (
            f"{cell.name} uses what lies far back: with the last {less} of {most} steps alone it "
            f"comes to {scores[less]:.3f} instead of {scores[most]:.3f} {one.metric} on the test."
        )
    return (
        f"{_last(enough, most)} enough for {cell.name}: {scores[enough]:.3f} {one.metric} on "
        f"the test, with all of them {scores[most]:.3f}."
    )


def _order(one: Comparison, cell: Contestant) -> str:
    """Whether the order of the steps matters."""
    if 0.0 not in cell.orders or 1.0 not in cell.orders:
        return ""
    plain, shuffled = mean(cell.orders[0.0]).value, mean(cell.orders[1.0]).value
    figures = f"{shuffled:.3f} instead of {plain:.3f} {one.metric} on the test"
    if shuffled <= _NEAR * plain:
        return (
            f"The order of the steps hardly matters: with all of them shuffled {cell.name} is as "
            f"good ({figures}), so that a network without an order would do."
        )
    return (
        f"The order of the steps matters: with all of them shuffled {cell.name} comes to {figures}."
    )


def _last(steps: int, most: int) -> str:
    return f"The last of {most} steps is" if steps == 1 else f"The last {steps} of {most} steps are"
