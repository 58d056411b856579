"""The nodes that a program's outputs need, under the names that the outputs have."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from elman_runtime.program.form import Node, Value

_COPY = {"factor": 1.0, "shift": 0.0}


def needed(nodes: Sequence[Node], outputs: Mapping[str, Value]) -> list[Node]:
    """The nodes that outputs need, without final states of cells that nothing reads."""
    wanted, kept = {value.name for value in outputs.values()}, []
    for node in reversed(nodes):
        if not wanted.intersection(node.outputs):
            continue
        if node.op == "cell" and not wanted.intersection(node.outputs[1:]):
            attrs = {key: value for key, value in node.attrs.items() if key != "final"}
            node = replace(node, outputs=node.outputs[:1], attrs=attrs)
        wanted.update(node.inputs)
        kept.append(node)
    return kept[::-1]


def renamed(nodes: Sequence[Node], outputs: Mapping[str, Value]) -> list[Node]:
    """Nodes that write outputs under their names; a value that has a name gets a copy."""
    made = {name for node in nodes for name in node.outputs}
    names: dict[str, str] = {}
    copies = []
    for name, value in outputs.items():
        if value.name in made and value.name not in names:
            names[value.name] = name
        else:
            source = names.get(value.name, value.name)
            copies.append(Node("scale", (source,), (name,), attrs=_COPY))
    changed = (
        replace(
            node,
            inputs=tuple(names.get(v, v) for v in node.inputs),
            outputs=tuple(names.get(v, v) for v in node.outputs),
        )
        for node in nodes
    )
    return [*changed, *copies]
