"""What a step of a tape costs."""

from dataclasses import dataclass

from elman_runtime.tape import Instruction, Place, Tape


@dataclass(frozen=True)
class Cost:
    """Of one layer in one direction, with as many inputs and units as were asked for."""

    stages: int
    """1, and one for each product with U that has to wait for something the step computes."""
    forward: int
    """Instructions a step."""
    backward: int
    """Instructions a step of the derivative."""
    saved: int
    """Values a unit that each step saves for the derivative, besides the states."""
    parameters: int
    flops: int
    """Floating-point operations a step and row; a transcendental function counts as one."""
    bytes: int
    """Read and written by one step of one row in float32: weights, and states twice."""


def cost(tape: Tape, hidden: int, inputs: int, *, bias: bool = True) -> Cost:
    """What a step costs with `hidden` units and `inputs` inputs.

    Example:
        >>> import elman
        >>> from elman.trace import cost, trace
        >>> cost(trace(elman.cells.GRU), 64, 32).parameters
        18816
    """
    rows, recurrent = len(tape.gates) * hidden, len(tape.recurrent) * hidden
    used = hidden * sum(len(line.of) - 1 for line in tape.products)
    parameters = rows * inputs + recurrent * hidden + len(tape.params) * hidden
    parameters += (rows + recurrent) if bias else 0
    update, read = tape.forward.update, tape.forward.read
    back = tape.backward
    return Cost(
        stages=tape.stages,
        forward=len(update) + len(read),
        backward=len(back.update) + len(back.read) if back else 0,
        saved=tape.count("v"),
        parameters=parameters,
        flops=2 * (rows * inputs + used * hidden) + sum(_work(n, hidden) for n in update + read),
        bytes=4 * (parameters + 2 * len(tape.state) * hidden),
    )


def _work(line: Instruction, hidden: int) -> int:
    """Operations of one instruction beside the products: none for a copy."""
    if line.op in ("project", "copy"):
        return 0
    return 1 if Place.of(line.to).space in ("q", "w") and line.op != "mean" else hidden
