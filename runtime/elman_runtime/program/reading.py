"""Programs from their JSON: strict. What is read is still to be `checked`."""

from collections.abc import Mapping
from typing import Any

from elman_runtime.errors import refusal, shown
from elman_runtime.program.form import VERSION, Node, Program, Shape, State, Value

MAX_NODES = 512
MAX_STATES = 64
MAX_VALUES = 64
"""Inputs or outputs of a program, or of a node."""
MAX_RANK = 8

_AGAIN = "store the model again with elman.save"
_KEYS = {"version", "inputs", "outputs", "states", "nodes"}


def from_json(value: Any, file: str = "program", place: str = "program") -> Program:
    """The program that `Program.to_json` described; ModelFileError where a rule is broken."""
    _keys(value, _KEYS, file, place)
    if type(value["version"]) is not int or value["version"] != VERSION:
        repair = "read it with the version of elman that wrote it, or a later one"
        raise refusal(file, place, f"version {VERSION}", shown(value["version"]), repair)
    read = _Reader(file, place)
    return Program(
        tuple(read.value(v, f"input {k}") for k, v in read.rows(value, "inputs", MAX_VALUES)),
        tuple(read.value(v, f"output {k}") for k, v in read.rows(value, "outputs", MAX_VALUES)),
        tuple(read.state(v, f"state {k}") for k, v in read.rows(value, "states", MAX_STATES)),
        tuple(read.node(v, f"node {k}") for k, v in read.rows(value, "nodes", MAX_NODES)),
    )


def _keys(value: Any, keys: set[str], file: str, place: str) -> None:
    if not isinstance(value, Mapping) or set(value) != keys:
        came = shown(list(value)) if isinstance(value, Mapping) else shown(value)
        raise refusal(file, place, f"has the keys {sorted(keys)}", came, _AGAIN)


class _Reader:
    """Turns JSON into the parts of a program, and knows where it stands."""

    def __init__(self, file: str, place: str) -> None:
        self.file, self.place = file, place

    def rows(self, value: Any, key: str, most: int) -> list[tuple[int, Any]]:
        found = value[key]
        if not isinstance(found, list | tuple) or len(found) > most:
            came = f"{len(found)}" if isinstance(found, list | tuple) else shown(found)
            rule = f"{key} are a list of at most {most}"
            raise refusal(self.file, self.place, rule, came, _AGAIN)
        return list(enumerate(found))

    def value(self, row: Any, at: str) -> Value:
        at = f"{self.place} {at}"
        _keys(row, {"name", "shape", "kind"}, self.file, at)
        return Value(self.text(row["name"], at), self.shape(row["shape"], at), row["kind"])

    def state(self, row: Any, at: str) -> State:
        at = f"{self.place} {at}"
        _keys(row, {"name", "shape", "start"}, self.file, at)
        start = None if row["start"] is None else self.text(row["start"], at)
        sizes = self.shape(row["shape"], at)
        if not all(isinstance(size, int) for size in sizes):
            raise refusal(self.file, at, "a state has no axis of time", shown(sizes), _AGAIN)
        return State(self.text(row["name"], at), sizes, start)  # type: ignore[arg-type]

    def node(self, row: Any, at: str) -> Node:
        at = f"{self.place} {at}"
        keys = {"op", "inputs", "outputs", "params", "states", "attrs"}
        _keys(row, keys, self.file, at)
        params, attrs = row["params"], row["attrs"]
        for key, found in (("params", params), ("attrs", attrs)):
            if not isinstance(found, Mapping) or not all(isinstance(k, str) for k in found):
                raise refusal(self.file, at, f"{key} are an object", shown(found), _AGAIN)
        return Node(
            self.text(row["op"], at),
            self.names(row["inputs"], at),
            self.names(row["outputs"], at),
            {role: self.text(name, at) for role, name in params.items()},
            self.names(row["states"], at),
            {key: tuple(v) if isinstance(v, list) else v for key, v in attrs.items()},
        )

    def text(self, value: Any, at: str) -> str:
        if not isinstance(value, str):
            raise refusal(self.file, at, "a name is text", shown(value), _AGAIN)
        return value

    def names(self, value: Any, at: str) -> tuple[str, ...]:
        if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
            raise refusal(self.file, at, "a list of names", shown(value), _AGAIN)
        return tuple(value)

    def shape(self, value: Any, at: str) -> Shape:
        good = isinstance(value, list | tuple) and len(value) <= MAX_RANK
        if not good or not all(type(v) is int or v == "T" for v in value):
            rule = f"a shape is a list of at most {MAX_RANK} integers, 'T' for time"
            raise refusal(self.file, at, rule, shown(value), _AGAIN)
        return tuple(value)
