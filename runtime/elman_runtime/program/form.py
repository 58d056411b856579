"""What a program is: a list of nodes from a closed table, each reading values made before it.

A value is an array (B, *shape): the batch is never written down, and "T", first where it stands,
is the axis of time. `check.checked` says whether a program keeps the rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Shape = tuple[int | str, ...]

VERSION = 1


@dataclass(frozen=True)
class Value:
    """An input or output: its name, its shape without the batch, "float" or "int"."""

    name: str
    shape: Shape
    kind: str = "float"


@dataclass(frozen=True)
class State:
    """What is carried from a step to the next: (B, *shape), from `start` (a tensor's name) or 0."""

    name: str
    shape: tuple[int, ...]
    start: str | None = None


@dataclass(frozen=True)
class Node:
    """One operation.

    - `inputs`, `outputs`: names of values.
    - `params`: role -> name of a tensor of the file; roles that the op may lack are left out.
    - `states`: names of program states, in the op's order.
    - `attrs`: numbers, strings and lists; of a `cell` the number of its tape.
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    params: Mapping[str, str] = field(default_factory=dict)
    states: tuple[str, ...] = ()
    attrs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Program:
    """Nodes in the order in which they run. Every value is written once."""

    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    states: tuple[State, ...]
    nodes: tuple[Node, ...]

    def to_json(self) -> dict[str, Any]:
        """The same as dicts and lists, for a model file."""
        values = {
            key: [
                {"name": v.name, "shape": list(v.shape), "kind": v.kind} for v in getattr(self, key)
            ]
            for key in ("inputs", "outputs")
        }
        states = [{"name": s.name, "shape": list(s.shape), "start": s.start} for s in self.states]
        nodes = [
            {
                "op": n.op,
                "inputs": list(n.inputs),
                "outputs": list(n.outputs),
                "params": dict(n.params),
                "states": list(n.states),
                "attrs": dict(n.attrs),
            }
            for n in self.nodes
        ]
        return {"version": VERSION, **values, "states": states, "nodes": nodes}
