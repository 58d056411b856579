"""A program as an ONNX model."""

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from elman.export.onnx_graph import Graph
from elman.export.onnx_ops import Walk
from elman.nn import save
from elman_runtime import files
from elman_runtime import model as models
from elman_runtime.model import Model
from elman_runtime.program import infer, kind_of
from elman_runtime.program.form import Program, State, Value

__all__ = ["onnx"]

OPSET, IR = 18, 8
STATE_IN, STATE_OUT = "state_in_", "state_out_"


def onnx(
    model: nn.Module | Model | str | os.PathLike[str],
    out: str | os.PathLike[str],
    program: str = "main",
) -> tuple[str, ...]:
    """Write a program of a model as an ONNX model, opset 18, atomically.

    Inputs and outputs have the program's names, the batch first, `batch` and `time` of any size.
    Of a step program each state is an input `state_in_NAME` (batch, ...) and an output
    `state_out_NAME`: feed what came out, and zeros at first, or what the metadata `state_start`
    says (JSON: name -> list). Other programs start anew at every call. RNN, GRU and LSTM in
    float32 are standard nodes; every other cell is a Scan of its tape. All rows of a batch have
    one length.

    Args:
        model: a model file, the folder of a run, what `elman_runtime.load` gave, or a torch module
            that `elman.save` can store.
        out: the file to write.
        program: which of the model's programs.

    Returns:
        The names of the inputs, states included.

    Raises:
        ImportError: onnx is not installed; says the command that installs it.
        ValueError: the model has no program of this name, or an operation that ONNX has not.

    Example:
        >>> import tempfile, torch, elman
        >>> from elman.export import onnx
        >>> layer = elman.nn.Recurrent("SLSTM", 3, 5)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     onnx(layer, folder + "/model.onnx")
        ('x', 'state_in_h_l0', 'state_in_c_l0', 'state_in_n_l0', 'state_in_m_l0')
    """
    try:
        import onnx as library
    except ImportError as error:
        raise ImportError(
            "elman.export.onnx needs the package onnx: pip install 'elman[export]'"
        ) from error
    source = _model(model)
    made = _proto(source, source.program(program), program)
    library.checker.check_model(made)
    files.write_atomic(out, [made.SerializeToString()])
    return tuple(value.name for value in made.graph.input)


def _model(model: Any) -> Model:
    if isinstance(model, Model):
        return model
    if isinstance(model, nn.Module):
        with tempfile.TemporaryDirectory() as folder:
            save(model, Path(folder) / "model.safetensors", quiet=True)
            return models.load(Path(folder) / "model.safetensors")
    path = Path(model)
    return models.load(path / "model.safetensors" if path.is_dir() else path)


def _proto(model: Model, program: Program, name: str) -> Any:
    found = infer(program, model.tensors, model.tapes)
    steps = kind_of(program).name == "step"
    g = Graph(found.dtype, taken={v.name for v in (*program.inputs, *program.outputs)})
    walk = Walk(g, model.tensors, model.tapes, found.values)
    walk.values = {value.name: value.name for value in program.inputs}
    walk.states = {s.name: _first(walk, program, s, steps) for s in program.states}
    for node in program.nodes:
        walk.node(node)
    for value in program.outputs:
        g.name(walk.values[value.name], value.name)
    carried = program.states if steps else ()
    for state in carried:
        g.name(walk.states[state.name], STATE_OUT + state.name)
    inputs = [_info(g, v) for v in (*program.inputs, *_values(carried, STATE_IN))]
    outputs = [_info(g, v) for v in (*program.outputs, *_values(carried, STATE_OUT))]
    tensors = [g.numpy_helper.from_array(v, k) for k, v in g.initializers.items()]
    graph = g.helper.make_graph(g.nodes, name, inputs, outputs, tensors)
    opsets = [g.helper.make_opsetid("", OPSET)]
    made = g.helper.make_model(graph, opset_imports=opsets, ir_version=IR, producer_name="elman")
    starts = {s.name: model.tensors[s.start].tolist() for s in carried if s.start is not None}
    details = {"elman_digest": model.digest, "state_start": json.dumps(starts)}
    g.helper.set_model_props(made, details)
    return made


def _first(walk: Walk, program: Program, state: State, given: bool) -> str:
    """What a state is before the first step: an input, or the same for every row."""
    if given:
        return STATE_IN + state.name
    start = np.zeros(state.shape, walk.g.dtype)
    if state.start is not None:
        start = walk.tensors[state.start]
    return walk.g.spread(start, program.inputs[0].name, f"{state.name}_start")


def _values(states: Sequence[State], prefix: str) -> list[Value]:
    return [Value(prefix + state.name, state.shape) for state in states]


def _info(g: Graph, value: Value) -> Any:
    sizes = ["batch", *("time" if size == "T" else size for size in value.shape)]
    kind = g.helper.TensorProto.INT64 if value.kind == "int" else g.kind
    return g.helper.make_tensor_value_info(value.name, kind, sizes)
