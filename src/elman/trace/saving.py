"""Which values of a step are kept for its derivative, and which are computed again.

The rule, in this order:
1. States, further inputs, and what is fixed for a call are at hand anyway.
2. A vector under U is saved: the gradient of U is one product of these vectors over all steps.
3. Of what the derivative reads, the results of transcendental functions, of divisions, square
   roots and means, and gates of either projection are saved.
4. What else it reads is cheap (`elman_runtime.tape.CHEAP`). It is computed again where all that it
   is made of is at hand by these rules, and saved where it is not.
"""

from collections.abc import Iterable

from elman.trace.graph import Node, ancestors
from elman_runtime.tape import CHEAP


def read_by(roots: Iterable[Node], forward: int) -> set[int]:
    """Numbers of the nodes below `forward`, neither fixed nor numbers, that roots directly read."""
    found, seen, waiting = set(), set(), list(roots)
    while waiting:
        node = waiting.pop()
        if node.id in seen or node.fixed:
            continue
        seen.add(node.id)
        if node.id < forward:
            found.add(node.id)
        else:
            waiting += node.of
    return found


def saved(
    outcome: Iterable[Node], read: set[int], free: Iterable[int], vectors: set[int]
) -> list[Node]:
    """What is saved, in order.

    Args:
        outcome: what the forward section computes in the end.
        read: what the derivative reads of it.
        free: what is at hand anyway.
        vectors: what U multiplies.
    """
    at_hand, kept = set(free), []
    for node in ancestors(outcome):
        if node.fixed or node.id in at_hand:
            at_hand.add(node.id)
            continue
        cheap = node.op in CHEAP
        again = cheap and all(n.id in at_hand for n in node.of) and node.id not in vectors
        wanted = node.id in read or node.id in vectors
        if wanted and not again:
            kept.append(node)
        if wanted or again:
            at_hand.add(node.id)
    return kept
