"""Torch modules from the programs of a model file: they run, and can be trained on."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from elman.cells import Cell
from elman.cells.lookup import builtin
from elman.nn.operations import Run
from elman.nn.recurrent import Recurrent
from elman.nn.sequence import as_lengths, clear
from elman.trace import TraceError, trace
from elman.trace.rebuild import cell_of
from elman_runtime.model import Model
from elman_runtime.program import over_time
from elman_runtime.program.form import Node, Program
from elman_runtime.tape import Tape

__all__ = ["ProgramModule", "recurrent_of"]


def recurrent_of(model: Model, cells: Iterable[type[Cell]] = ()) -> tuple[Recurrent, Any]:
    """A layer as its file's settings say, and the tensors to put into it.

    The cell is the one of `cells` or of elman's own that has the file's tape, or is made of it.
    """
    settings, tape = dict(model.settings), model.tapes[0]
    found = _named(settings["cell"], cells, tape, settings)
    extra = {name: t for name, t in model.tensors.items() if name.startswith("extra.")}
    tensors = {name: t for name, t in model.tensors.items() if name not in extra}
    if found is None:
        found = cell_of(tape)
        settings["constants"] = {}
    elif found.constrain is not None:
        tensors |= {name.removeprefix("extra."): t for name, t in extra.items()}
    settings["cell"] = found
    dtype = torch.from_numpy(tensors["weight_ih_l0"][:0].copy()).dtype
    return Recurrent(**settings, dtype=dtype), tensors


def _named(
    name: str, cells: Iterable[type[Cell]], tape: Tape, settings: Mapping[str, Any]
) -> type[Cell] | None:
    """A cell of this name that has this tape; None where there is none."""
    known = builtin() | {cell.__name__: cell for cell in cells}
    cell = known.get(name)
    projected = bool(settings["proj_size"])
    if cell is None or set(settings["constants"]) != set(cell.constants):
        return None
    try:
        own = trace(cell, settings["constants"], backward=False, projected=projected)
    except TraceError:
        return None
    return cell if own == tape else None


class ProgramModule(nn.Module):
    """The programs of a model file as a torch module; its tensors are parameters.

    Cells run in elman's engines, rebuilt from their tapes, so that gradients need no class of the
    user's. Inputs and outputs are batch first.

    Args:
        model: what `elman_runtime.load` gave.
        program: which one `forward` runs.

    Example:
        >>> import tempfile, torch, elman
        >>> model = torch.nn.Sequential(elman.nn.CausalConv1d(3, 5, 2), torch.nn.Linear(5, 2))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     found = elman.save(model, folder + "/model.safetensors", quiet=True)
        ...     again = elman.load(folder + "/model.safetensors")
        >>> again(torch.zeros(4, 7, 3)).shape, len(list(again.parameters()))
        (torch.Size([4, 7, 2]), 4)
    """

    def __init__(self, model: Model, program: str = "main") -> None:
        super().__init__()
        self.programs = dict(model.programs)
        model.program(program)  # refuses a name that is none
        self.program = program
        self.kind = str(model.meta["kind"])
        self.settings = dict(model.settings)
        self.cells = tuple(map(cell_of, model.tapes))
        wanted = sorted({name for p in self.programs.values() for name in _names(p)})
        for name in wanted:
            _place(self, name, nn.Parameter(torch.from_numpy(model.tensors[name].copy())))

    def forward(self, *inputs: Tensor, lengths: Tensor | Sequence[int] | None = None) -> Any:
        """The outputs of the program: one, or a tuple in its order.

        Args:
            inputs: (B, *shape) each, in the program's order.
            lengths: (B,), 0 to T: what lies beyond has no influence, outputs there are zero.
        """
        outputs, _ = self.run(self.program, inputs, lengths=lengths)
        return outputs[0] if len(outputs) == 1 else outputs

    def run(
        self,
        program: str,
        inputs: Sequence[Tensor],
        states: Sequence[Tensor] | None = None,
        lengths: Tensor | Sequence[int] | None = None,
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Outputs and final states of a program by name; `states` is what an earlier run gave."""
        said = self.programs[program]
        if len(inputs) != len(said.inputs):
            names = [value.name for value in said.inputs]
            raise ValueError(f"inputs: the program takes {names}, got {len(inputs)}")
        timed = over_time(said)
        pairs = list(zip(said.inputs, inputs, strict=True))
        whole = next((x for v, x in pairs if v.name in timed), None)
        if lengths is not None and whole is None:
            raise ValueError("lengths: the program has no axis of time; leave it out")
        within = None if whole is None else as_lengths(lengths, whole)
        run = Run(
            self.cells,
            {
                name: self.get_parameter(name)
                for node in said.nodes
                for name in node.params.values()
            },
            {v.name: clear(x, within) if v.name in timed else x for v, x in pairs},
            self._first(said, inputs[0].shape[0], states),
            within,
        )
        for node in said.nodes:
            run.node(node, _along(node) in timed)
        made = {v.name: run.values[v.name] for v in said.outputs}
        ends = (clear(y, within) if name in timed else y for name, y in made.items())
        return tuple(ends), tuple(run.states[s.name] for s in said.states)

    def _first(
        self, said: Program, batch: int, states: Sequence[Tensor] | None
    ) -> dict[str, Tensor]:
        if states is not None:
            return dict(zip((s.name for s in said.states), states, strict=True))
        like = next(iter(self.parameters()), torch.zeros(0))
        return {
            s.name: like.new_zeros(batch, *s.shape)
            if s.start is None
            else self.get_parameter(s.start).expand(batch, *s.shape)
            for s in said.states
        }

    def extra_repr(self) -> str:
        """What `print` shows."""
        return f"{self.kind}, programs {', '.join(self.programs)}"


def _names(program: Program) -> list[str]:
    starts = [state.start for state in program.states if state.start is not None]
    return starts + [name for node in program.nodes for name in node.params.values()]


def _place(root: nn.Module, name: str, parameter: nn.Parameter) -> None:
    """Register a parameter under a dotted name, as a state_dict names it."""
    *path, last = name.split(".")
    for part in path:
        if part not in root._modules:
            root.add_module(part, nn.Module())
        root = root.get_submodule(part)
    root.register_parameter(last, parameter)


def _along(node: Node) -> str:
    """The input whose axis of time an operation runs over."""
    return node.inputs[1 if node.op == "attention" else 0] if node.inputs else ""
