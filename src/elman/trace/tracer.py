"""From a cell to its tape: what is computed when, where it stands, and what is saved."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from elman.cells import Cell
from elman.trace.differentiate import differentiate
from elman.trace.emit import Root, Section
from elman.trace.equations import Equations, equations
from elman.trace.graph import Node, ancestors
from elman.trace.saving import read_by, saved
from elman_runtime.tape import Backward, Forward, Instruction, Tape, checked

Lines = tuple[Instruction, ...]
Places = dict[int, str]
"""Where values stand, by number of their node."""


def trace(
    cell: type[Cell],
    constants: Mapping[str, float] | None = None,
    *,
    backward: bool = True,
    projected: bool = False,
) -> Tape:
    """The tape of a cell: its step and, with `backward`, the derivative of its step.

    Args:
        cell: the class; its `update`, `read` and `start` are each run once, on symbols.
        constants: values in place of the cell's own; they become numbers on the tape.
        backward: whether the derivative is wanted; without it nothing is saved.
        projected: whether the first state will be projected (`proj_size`), so that it must not be
            read other than through `u`.

    Raises:
        TraceError: the equations say something that instructions cannot; says where, and what to
            write instead.
        ModelFileError: the tape would break a limit of the format, such as 512 instructions.

    Example:
        >>> import elman
        >>> from elman.trace import trace
        >>> print(trace(elman.cells.RNN, backward=False), end="")
        elman tape 1
        name RNN
        gates h
        recurrent h
        state h
        update
          u0 = project s.h h+
          new.h = tanh u0.h
    """
    said = equations(cell, constants, projected)
    return checked(_Tracer(said, backward).tape(), cell.__name__)


class _Tracer:
    """Builds one tape."""

    def __init__(self, said: Equations, backward: bool) -> None:
        self.said, self.cell, self.graph = said, said.cell, said.record.graph
        self.products = said.products()
        self.forward = len(self.graph.nodes)
        """How many nodes the forward half has; the derivative's come after."""
        self.derivative = differentiate(said, self.products) if backward else None
        self.fixed: Places = {}

    def tape(self) -> Tape:
        """The tape; `checked` has not seen it."""
        said, cell = self.said, self.cell
        prologue = self._once(
            _fixed_in(said.update_roots + said.read_roots, {}), self._states("start", said.start)
        )
        by_update, by_read = self._saved()
        update, named = self._update(by_update)
        read, named_by_read = self._read(by_update, by_read, named.values())
        return Tape(
            name=cell.__name__,
            gates=cell.gates,
            recurrent=cell.recurrent,
            state=cell.state,
            params=tuple(cell.params),
            inputs=cell.inputs,
            outputs=tuple("H" if node.wide else "1" for node in said.outputs),
            names=tuple(f"{k}={v}" for k, v in (named | named_by_read).items()),
            forward=Forward(prologue, update, read),
            backward=self._backward(by_update, by_read),
        )

    def _states(self, space: str, nodes: Iterable[Node]) -> list[Root]:
        return [(f"{space}.{n}", v) for n, v in zip(self.cell.state, nodes, strict=False)]

    def _update(self, by_update: list[Root]) -> tuple[Lines, dict[str, str]]:
        """The section, and where its named values stand at its end."""
        section, named = Section(self.graph, dict(self.fixed)), self.said.named
        self._add_products(section)
        stops = [product.node for product in self.products]
        roots = [*by_update, *self._states("new", self.said.new)]
        lines = section.emit(roots, stops, list(named.values()))
        return lines, {name: str(section.place(node)) for name, node in named.items()}

    def _read(
        self, by_update: list[Root], by_read: list[Root], reserved: Iterable[str]
    ) -> tuple[Lines, dict[str, str]]:
        """The same of `read`, which leaves `reserved` registers alone."""
        places, named = self.fixed | _places(by_update), self.said.read_named
        section = Section(self.graph, places, frozenset(reserved))
        outputs = [(f"y{k}", node) for k, node in enumerate(self.said.outputs)]
        lines = section.emit([*by_read, *outputs], (), list(named.values()))
        return lines, {name: str(section.place(node)) for name, node in named.items()}

    def _once(self, needed: Iterable[Node], further: Sequence[Root] = ()) -> Lines:
        """A prologue that computes what is fixed; it stands in `fixed` from now on."""
        new = (node for node in needed if node.id not in self.fixed)
        slots = [(f"f{len(self.fixed) + k}", node) for k, node in enumerate(new)]
        lines = Section(self.graph, dict(self.fixed)).emit([*slots, *further])
        self.fixed |= _places(slots)
        return lines

    def _saved(self) -> tuple[list[Root], list[Root]]:
        """What is saved in `update` and in `read`."""
        if self.derivative is None:
            return [], []
        said, leaves = self.said, self.said.leaves
        inputs = {leaves[f"x.{name}"].id for name in self.cell.inputs}
        before = {leaves[f"s.{name}"].id for name in self.cell.state}
        after = {leaves[f"final.{name}"].id for name in self.cell.state}
        vectors = {product.node.of[0].id for product in self.products}
        reads = [node for _, node in self.derivative.update] + self.derivative.vectors
        found = read_by(reads, self.forward)
        free = inputs | before | {node.id for node in said.new}
        by_update = _slots(saved(said.update_roots, found, free, vectors))
        found = read_by([node for _, node in self.derivative.read], self.forward)
        free = inputs | after | set(_places(by_update))
        return by_update, _slots(saved(said.read_roots, found, free, set()), by_update)

    def _add_products(self, section: Section) -> None:
        fused = self._fused()
        for k, (node, gates) in enumerate(self.products):
            names = [gate.label + "+" * (gate.id in fused) for gate in gates]
            section.products[node.id] = (f"u{k}", *names)
            for gate in gates:
                section.gates[gate.id] = section.gates[fused.get(gate.id, gate).id] = (
                    node,
                    f"u{k}.{gate.label}",
                )

    def _fused(self) -> dict[int, Node]:
        """Gates of products that are only ever added to the input's -> that sum."""
        roots = self.said.update_roots + self.said.read_roots
        users: dict[int, list[Node]] = {root.id: [root] for root in roots}
        for node in ancestors(roots):
            for operand in node.of:
                users.setdefault(operand.id, []).append(node)
        found = {}
        for gate in (gate for product in self.products for gate in product.gates):
            column = self.said.leaves.get(f"x.{gate.label}")
            total = users[gate.id][0]
            alone = column is not None and users[gate.id] == users.get(column.id) == [total]
            if alone and total.op == "add":
                found[gate.id] = total
        return found

    def _backward(self, by_update: list[Root], by_read: list[Root]) -> Backward | None:
        if self.derivative is None:
            return None
        new = zip(self.cell.state, self.said.new, strict=True)
        stand = {node.id: f"new.{name}" for name, node in reversed(list(new)) if node.op != "leaf"}
        at_update = stand | _places(by_update)
        at_read = _places(by_update) | _places(by_read)
        d = self.derivative
        needed = {node.id: node for node in _fixed_in([n for _, n in d.read], at_read)}
        roots = [*(node for _, node in d.update), *d.vectors]
        needed |= {node.id: node for node in _fixed_in(roots, at_update)}
        prologue = self._once(needed.values())
        read = Section(self.graph, self.fixed | at_read).emit(d.read)
        update = Section(self.graph, self.fixed | at_update, products=dict(d.operands))
        updating = update.emit(d.update, d.vectors)
        epilogue = Section(self.graph, dict(self.fixed)).emit(d.epilogue)
        return Backward(prologue, read, updating, epilogue)


def _places(roots: Iterable[Root]) -> Places:
    return {node.id: place for place, node in roots}


def _slots(nodes: Iterable[Node], after: Sequence[Root] = ()) -> list[Root]:
    """Numbers for saved values, those of one value a unit (v) and of one a row (w) apart."""
    counts = Counter(place[0] for place, _ in after)
    found = []
    for node in nodes:
        kind = "v" if node.wide else "w"
        found.append((f"{kind}{counts[kind]}", node))
        counts[kind] += 1
    return found


def _fixed_in(roots: Iterable[Node], places: Mapping[int, str]) -> list[Node]:
    """What is computed once a call of all that the roots need, in the order of making."""
    found: dict[int, Node] = {}
    seen, waiting = set(), list(roots)
    while waiting:
        node = waiting.pop()
        if node.id in seen or node.id in places:
            continue
        seen.add(node.id)
        if not node.fixed:
            waiting += node.of
        elif node.op not in ("number", "leaf"):
            found[node.id] = node
    return [found[k] for k in sorted(found)]
