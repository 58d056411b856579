"""Modules as files: programs that run without torch, and torch modules made of them again.

Format 1: programs, tapes and tensors (`elman_runtime.model`). Format 0, which is read too: the
settings of one layer, its cell by name, and its tensors. Nothing in a file is ever executed.
"""

import inspect
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from elman.cells import Cell, by_name
from elman.nn.builder import Builder
from elman.nn.causal import CausalConv1d
from elman.nn.follow import layout_of
from elman.nn.from_file import ProgramModule, recurrent_of
from elman.nn.lowering import class_of
from elman.nn.parity import Parity, Written, drawn, evaluating, measure, outputs_of
from elman.nn.pooling import AttentionPool, Last, Pool, Pooling
from elman.nn.recurrent import Recurrent
from elman.nn.refused import CannotStore
from elman.trace import TraceError
from elman_runtime import model as models
from elman_runtime import model_file
from elman_runtime.program import kind_of
from elman_runtime.program.form import Program

Shape = tuple[int | str, ...]
Input = tuple[str, Shape, str]
"""Name, shape without the batch, and "float" or "int"."""


def save(
    module: nn.Module,
    path: str | os.PathLike[str],
    example: Any = None,
    *,
    quiet: bool = False,
) -> tuple[Parity, ...]:
    """Write a module to a file as programs, atomically, and print how far they are from torch.

    The file holds the program "main" and, where the model ends with the last step or a pool, also
    "step", which judges after every step. Without torch, `elman_runtime.load` and
    `elman_runtime.Stream` run it; `load` makes a torch module of it again.

    Args:
        module: layers of elman.nn or torch.nn, `nn.Sequential` of them, or a module whose `forward`
            calls such layers and what docs/save-and-export.md lists.
        path: the file.
        example: what `module` is called with, a tensor or a tuple of them, batch included; needed
            where the shapes of its inputs cannot be told from its layers.
        quiet: do not print the parity.

    Returns:
        The parity of each program; of a `Recurrent` whose cell has no tape, which is stored as
        settings and weights alone, nothing.

    Raises:
        CannotStore: a TypeError that names the first module or call that no program can say, and
            the repair; also where a program differs from torch by more than rounding.
        OSError: the file cannot be written.

    Example:
        >>> import tempfile, torch, elman
        >>> model = torch.nn.Sequential(
        ...     torch.nn.LSTM(3, 5, batch_first=True), elman.nn.Last(), torch.nn.Linear(5, 2)
        ... )
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     found = elman.save(model, folder + "/model.safetensors", quiet=True)
        >>> [parity.program for parity in found], all(parity.close for parity in found)
        (['main', 'step'], True)
    """
    if not isinstance(module, nn.Module):
        raise CannotStore(f"module: a torch module is stored, got {type(module).__name__}")
    with evaluating(module):
        try:
            written = programs_of(module, _inputs_of(module, example))
        except CannotStore as refused:
            if not isinstance(module, Recurrent) or not isinstance(refused.__cause__, TraceError):
                raise
            return _save_settings(module, path, refused, quiet)
        tried = _examples(example, written.time_first) or drawn(
            written.programs["main"], written.tensors
        )
        found = tuple(measure(module, written, tried))
    for parity in found:
        if not parity.close:
            raise CannotStore(
                f"the program {parity.program!r} of {type(module).__name__} differs from torch by "
                f"{parity.difference:.2g}, more than the {parity.allowed:.2g} of rounding: its "
                "forward does something in evaluation that its layers do not show, such as a hook"
            )
    settings = module.settings if isinstance(module, Recurrent) else {}
    tensors = written.tensors | _raw(module)
    kind = class_of(module).__name__
    models.write_model(path, written.programs, written.tapes, tensors, kind, settings)
    if not quiet:
        print(_said(path, written.programs, found))
    return found


def _save_settings(
    layer: Recurrent, path: str | os.PathLike[str], why: CannotStore, quiet: bool
) -> tuple[Parity, ...]:
    """Format 0, for a cell that is no tape: its class must be there again to load it."""
    meta = {"format": 0, "kind": "Recurrent", "settings": layer.settings}
    model_file.write(path, meta, arrays(layer))
    if not quiet:
        print(f"{Path(path)}: settings and weights alone, no program: {why}")
    return ()


def load(
    path: str | os.PathLike[str], cells: Iterable[type[Cell]] = ()
) -> "Recurrent | ProgramModule":
    """The module that `save` wrote, in evaluation mode; it can be trained on.

    A `Recurrent` comes back as one. Its cell is found by name among `cells` and elman's own, or,
    where none has the equations that the file holds, made from the file. Anything else comes back
    as a module that runs the file's programs.

    Raises:
        elman_runtime.ModelFileError: the file is damaged or not a model file.
        ValueError: it holds something else, its cell is unknown, or a tensor does not fit.
    """
    stored = model_file.read(path)
    if stored.meta.get("format") == models.FORMAT:
        model = models.load(path)
        if model.meta["kind"] == "Recurrent":
            layer, tensors = recurrent_of(model, cells)
            fill(layer, tensors, path)
            return layer.eval()
        return ProgramModule(model).eval()
    if stored.meta.get("kind") != "Recurrent" or stored.meta.get("format") != 0:
        raise ValueError(
            f"{path}: holds {stored.meta.get('kind') or stored.meta.get('task')!r} of format "
            f"{stored.meta.get('format')!r}; elman.load reads what elman.save writes"
        )
    settings = dict(stored.meta["settings"])
    settings["cell"] = by_name(settings["cell"], cells)
    dtype = torch.from_numpy(stored.tensors["weight_ih_l0"][:0].copy()).dtype
    module = Recurrent(**settings, dtype=dtype)
    fill(module, stored.tensors, path)
    return module.eval()


def programs_of(module: nn.Module, inputs: Sequence[Input]) -> Written:
    """A module as the programs "main" and, where it can judge after each step, "step".

    Args:
        inputs: name, shape without the batch and kind of each argument of its `forward`.

    Raises:
        CannotStore: names what no program can say.
    """
    main = Builder()
    made, keywords = _lowered(main, module, inputs)
    programs = {"main": _built(main, made)}
    if kind_of(programs["main"]).name == "whole":
        step = Builder(each=True, beside=main)
        try:
            program = _built(step, _lowered(step, module, inputs)[0])
        except CannotStore:
            program = None
        if program is not None and kind_of(program).name == "step":
            programs["step"] = program
    layout = main.layout[0] if main.layout else layout_of(module)
    needed = {name for program in programs.values() for name in _tensors_of(program)}
    tensors = {name: t for name, t in main.tensors.items() if name in needed}
    return Written(programs, tensors, main.tapes, made, keywords, layout == "time first")


def _lowered(b: Builder, module: nn.Module, inputs: Sequence[Input]) -> tuple[Any, tuple[str, ...]]:
    """What a module returns in a program, and which inputs it takes by name."""
    values = {name: b.input(name, *shape, kind=kind) for name, shape, kind in inputs}
    further = module.cell.inputs if isinstance(module, Recurrent) else ()
    named: dict[str, Any] = {name: value for name, value in values.items() if name in further}
    plain = [value for name, value in values.items() if name not in named]
    return b.lower(module, *plain, **named), tuple(named)


def _built(b: Builder, made: Any) -> Program:
    found = {name: value for name, value, _ in outputs_of(made)}
    if not found:
        raise CannotStore("the model returns no value that a program could give, only states")
    return b.build(**found)


def _tensors_of(program: Program) -> list[str]:
    starts = [state.start for state in program.states if state.start is not None]
    return starts + [name for node in program.nodes for name in node.params.values()]


def _raw(module: nn.Module) -> dict[str, Any]:
    """Of cells that constrain U, what is trained, beside the U that programs read."""
    if not isinstance(module, Recurrent) or module.cell.constrain is None:
        return {}
    names = [f"weight_hh_{suffix}" for suffix in module.suffixes]
    return {f"extra.{name}": getattr(module, name).numpy(force=True) for name in names}


# --- what a module is called with ----------------------------------------------------------------


def _examples(example: Any, time_first: bool) -> list[Tensor]:
    """The tensors that a module is called with, batch first."""
    if example is None:
        return []
    given = example if isinstance(example, tuple | list) else (example,)
    if not all(isinstance(x, Tensor) and x.dim() for x in given):
        raise CannotStore("example: a tensor with a batch, or a tuple of them, as forward takes it")
    return [x.transpose(0, 1) if time_first and x.dim() > 1 else x for x in given]


def _inputs_of(module: nn.Module, example: Any) -> list[Input]:
    """The inputs of a module: as an example has them, or as its first layer takes them."""
    names = _arguments(module)
    if example is not None:
        given = _examples(example, layout_of(module) == "time first")
        names += [f"x{k}" for k in range(len(names), len(given))]
        return [_like(n, x, _over_time(module)) for n, x in zip(names, given, strict=False)]
    if isinstance(module, Recurrent):
        more = [n for n in module.cell.inputs if n != "raw"]
        return [("x", ("T", module.input_size), "float"), *((n, ("T",), "float") for n in more)]
    for layer in module.modules():
        found = _taken(layer, _over_time(module))
        if found is not None and len(names) == 1:
            return [(names[0], *found)]
    # Where no program can say the module at all, an example would not help.
    b = Builder()
    b.lower(module, *(b.input(name, "T", 1) for name in names))
    takes = ", ".join(names)
    raise CannotStore(f"{type(module).__name__} takes {takes}, of any shape: pass example=")


def _arguments(module: nn.Module) -> list[str]:
    """The arguments of its `forward` that have no default."""
    found = inspect.signature(module.forward).parameters.values()
    plain = [p for p in found if p.kind is p.POSITIONAL_OR_KEYWORD and p.default is p.empty]
    generic = len(plain) == 1 and plain[0].name in ("input", "y", "hx")
    return ["x"] if generic else [p.name for p in plain]


def _like(name: str, x: Tensor, timed: bool) -> Input:
    shape: Shape = tuple(x.shape[1:])
    kind = "float" if x.is_floating_point() else "int"
    # Of numbers, (B, F) has no time; of tokens, (B, T) has.
    long = len(shape) > 1 or (kind == "int" and len(shape) == 1)
    return name, ("T", *shape[1:]) if timed and long else shape, kind


def _over_time(module: nn.Module) -> bool:
    kinds = (Recurrent, nn.RNNBase, CausalConv1d, Last, Pool, AttentionPool, Pooling)
    return any(isinstance(layer, kinds) for layer in module.modules())


def _taken(layer: nn.Module, timed: bool) -> tuple[Shape, str] | None:
    """Shape and kind of what a layer takes, where its sizes say so."""
    if isinstance(layer, nn.Embedding):
        return ("T",), "int"
    if isinstance(layer, Recurrent | nn.RNNBase | CausalConv1d):
        return ("T", layer.input_size), "float"
    width = None
    if isinstance(layer, nn.Linear):
        width = layer.in_features
    elif isinstance(layer, nn.LayerNorm):
        width = layer.normalized_shape[-1]
    elif isinstance(layer, nn.BatchNorm1d):
        width = layer.num_features
    if width is None:
        return None
    return ("T", width) if timed else (width,), "float"


def _said(
    path: str | os.PathLike[str], programs: Mapping[str, Program], found: Sequence[Parity]
) -> str:
    parts = []
    for parity in found:
        kind = kind_of(programs[parity.program]).name
        name = parity.program if parity.program == kind else f"{parity.program} ({kind})"
        parts.append(f"{name} {parity.difference:.1e} (allowed {parity.allowed:.1e})")
    return f"{Path(path)}: largest difference from torch: {', '.join(parts)}"


# --- tensors -------------------------------------------------------------------------------------


def arrays(module: nn.Module) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """A module's parameters and buffers as arrays, by name."""
    return {name: t.detach().cpu().numpy() for name, t in module.state_dict().items()}


def fill(
    module: nn.Module,
    tensors: Mapping[str, np.ndarray[Any, np.dtype[Any]]],
    path: str | os.PathLike[str],
) -> None:
    """Copy arrays into a module's parameters and buffers, all of them and nothing else."""
    wanted: dict[str, Tensor] = module.state_dict()
    for name in sorted(set(wanted) ^ set(tensors)):
        raise ValueError(f"{path}: {name} {'is missing' if name in wanted else 'is not expected'}")
    for name, tensor in wanted.items():
        if tuple(tensor.shape) != tensors[name].shape:
            raise ValueError(
                f"{path}: {name} has shape {tensors[name].shape}, not {tuple(tensor.shape)}"
            )
        with torch.no_grad():
            tensor.copy_(torch.from_numpy(tensors[name].copy()))
