"""What each built-in cell costs: a table from its tape, nothing is timed.

    python bench/cells_table.py                        128 units, 128 inputs
    python bench/cells_table.py --hidden 64 --inputs 8

fits: whether the cell becomes a tape. stages: 1, and one for each product with U that waits for
something the step computes. forward, backward: instructions a step, of the step and of its
derivative. saved: values a unit that each step keeps for the derivative, besides the states.
flops: of a step and row. bytes: weights, and states read and written, in float32.
"""

import argparse

from elman.cells import Cell, builtin
from elman.trace import TraceError, describe

COLUMNS = ("stages", "forward", "backward", "saved", "parameters", "flops", "bytes")


def row(name: str, cell: type[Cell], hidden: int, inputs: int) -> list[str]:
    width = hidden if "raw" in cell.inputs else inputs
    try:
        found = describe(cell, hidden, width).cost
    except TraceError as error:
        return [name, "no", *("" for _ in COLUMNS[1:]), str(error).splitlines()[-1]]
    return [name, "yes", *(f"{getattr(found, column):,}" for column in COLUMNS)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--hidden", type=int, default=128, help="units (default 128)")
    parser.add_argument("--inputs", type=int, default=128, help="inputs (default 128)")
    a = parser.parse_args()
    rows = [row(name, cell, a.hidden, a.inputs) for name, cell in sorted(builtin().items())]
    print(f"| cell | fits | {' | '.join(COLUMNS)} |")
    print(f"|---|---|{'---:|' * len(COLUMNS)}")
    for cells in rows:
        print(f"| {' | '.join(cells)} |")
    print(f"\n{a.hidden} units, {a.inputs} inputs (as many as units where a cell reads x.raw)")


if __name__ == "__main__":
    main()
