"""How far a program can be streamed: step by step, window by window, or not at all."""

from typing import NamedTuple

from elman_runtime.program.form import Program
from elman_runtime.program.ops import TIME, is_whole

_WITHOUT_TIME = ("last", "pool", "constant")


class Kind(NamedTuple):
    """`step`: fed as inputs come, in constant memory, its states carried on.

    `window`: a function of the last `length` observations. `whole`: of a whole sequence.
    `delay`: steps by which the outputs lag behind the inputs.
    """

    name: str
    length: int | None = None
    delay: int = 0


def kind_of(program: Program) -> Kind:
    """The kind of a checked program, from that of its nodes."""
    timed = over_time(program)
    inputs, first = program.inputs, program.inputs[0].shape
    ends = {v.name for v in (*inputs, *program.outputs)}
    whole = any(is_whole(n, bool(n.inputs) and n.inputs[0] in timed) for n in program.nodes)
    if ends <= timed and not whole:
        return Kind("step")
    if not timed and len(first) > 1 and isinstance(first[0], int):
        return Kind("window", first[0])
    return Kind("whole")


def over_time(program: Program) -> set[str]:
    """The values that have an axis of time."""
    timed = {v.name for v in program.inputs if v.shape[:1] == (TIME,)}
    for node in program.nodes:
        if node.op in _WITHOUT_TIME:
            continue
        if node.op == "attention":  # the context has none; the weights are as long as the keys
            timed |= {node.outputs[1]} if node.inputs[1] in timed else set()
        elif node.op == "cell" and node.inputs[0] in timed:  # final states have none
            timed.add(node.outputs[0])
        elif timed & set(node.inputs):
            timed |= set(node.outputs)
    return timed
