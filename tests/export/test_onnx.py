"""Programs as ONNX, run by onnxruntime, against torch and the runtime's own interpreter."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

import elman
from elman.nn import Builder, CausalConv1d, Last, Pool, Recurrent
from elman.testing import assert_close
from elman_runtime import model as models
from elman_runtime.program import evaluate

onnx = pytest.importorskip("onnx", reason="needs onnx: pip install 'elman[export]'")
ort = pytest.importorskip("onnxruntime", reason="needs onnxruntime to run what is written")

TERMS = 400
B, T, I = 3, 6, 5  # noqa: E741
CELLS = sorted(elman.cells.builtin())
STANDARD = {"GRU": "GRU", "LSTM": "LSTM", "RNN": "RNN", "RNNReLU": "RNN"}


def session(path):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def exported(program, b, path):
    """A program of a builder as an ONNX session, and the model."""
    models.write_model(path / "m", {"main": program}, b.tapes, b.tensors, "test", {})
    model = models.load(path / "m")
    elman.export.onnx(model, path / "m.onnx")
    return session(path / "m.onnx"), model


def random_(module):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.5 * torch.randn_like(parameter) + 0.1)
    return module.eval()


def operations(path):
    return {node.op_type for node in onnx.load(path).graph.node}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", CELLS)
@torch.no_grad()
def test_every_cell_and_its_states(name, dtype, tmp_path):
    cell = elman.cells.by_name(name)
    layer, x = random_(Recurrent(cell, I, I, dtype=dtype)), torch.randn(B, T, I, dtype=dtype)
    further = {n: torch.rand(B, T, dtype=dtype) for n in cell.inputs if n != "raw"}
    elman.save(layer, tmp_path / "m", quiet=True)
    names = elman.export.onnx(tmp_path / "m", tmp_path / "m.onnx")
    scanned = name not in STANDARD or dtype is torch.float64
    assert ({"Scan"} if scanned else {STANDARD[name]}) <= operations(tmp_path / "m.onnx")
    run = session(tmp_path / "m.onnx")
    state, outputs = layer.initial_state(B), []
    feed = {f"state_in_{n}_l0": v.numpy() for n, v in zip(cell.state, state[0], strict=True)}
    assert list(names) == ["x", *further, *feed]
    for cut in (slice(0, 2), slice(2, 3), slice(3, T)):  # states are carried from block to block
        given = {n: v[:, cut].numpy() for n, v in {"x": x, **further}.items()}
        y, *after = run.run(None, given | feed)
        feed = dict(zip(feed, after, strict=True))
        outputs.append(y)
    wanted, final = layer(x, **further)
    assert_close(np.concatenate(outputs, 1), wanted, terms=TERMS, what="y")
    for (what, value), e in zip(feed.items(), final[0], strict=True):
        assert_close(value, e, terms=TERMS, what=what)


MODELS = {
    "both ways, projected": lambda: nn.Sequential(
        elman.nn.LSTM(I, 4, 2, batch_first=True, bidirectional=True, proj_size=2),
        Pool("mean"),
        nn.Linear(4, 2),
    ),
    "standard both ways": lambda: nn.Sequential(
        nn.GRU(I, 4, 2, batch_first=True, bidirectional=True, bias=False),
        Pool("max"),
        nn.Sigmoid(),
    ),
    "gelu": lambda: nn.Sequential(CausalConv1d(I, 4, 2), nn.GELU()),
    "zoneout, a learned start": lambda: nn.Sequential(
        Recurrent("LSTM", I, 4, 2, zoneout=0.3, learn_initial_state=True, residual=True), Last()
    ),
    "convolution, norms": lambda: nn.Sequential(
        CausalConv1d(I, 4, 3, dilation=2), nn.LayerNorm(4), nn.Softplus(), nn.Softmax(-1)
    ),
    "elementwise": lambda: nn.Sequential(
        CausalConv1d(I, 4, 1), nn.Tanh(), nn.LeakyReLU(), nn.SiLU(), nn.LogSoftmax(-1)
    ),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_stacks_of_layers(name, dtype, tmp_path):
    if name == "gelu" and dtype is torch.float64:
        pytest.skip("onnxruntime has no Erf of float64")
    model = random_(MODELS[name]().to(dtype))
    x = torch.randn(B, T, I, dtype=dtype)
    elman.save(model, tmp_path / "m", example=x, quiet=True)
    stored = models.load(tmp_path / "m")
    for program in stored.programs:
        elman.export.onnx(stored, tmp_path / "m.onnx", program)
        run = session(tmp_path / "m.onnx")
        said = stored.program(program)
        wanted, states = evaluate(said, stored.tensors, stored.tapes, [x.numpy()])
        _, starts = evaluate(said, stored.tensors, stored.tapes, [x[:, :0].numpy()])
        begun = {f"state_in_{s.name}": v for s, v in zip(said.states, starts, strict=True)}
        taken = {value.name for value in run.get_inputs()}
        feed = {k: np.ascontiguousarray(v) for k, v in begun.items() if k in taken}
        got = run.run(None, {"x": x.numpy(), **feed})
        expected = (*wanted, *(states if feed else ()))
        for a, e in zip(got, expected, strict=True):
            assert_close(a, e, terms=TERMS, what=program)


@torch.no_grad()
def test_what_tasks_are_made_of(tmp_path):
    """Attention, a step from states that are values, tables, reshapes: no module of elman.nn."""
    layer, table = random_(Recurrent("SLSTM", 4, 4)), torch.randn(9, 4)
    b = Builder()
    tokens = b.input("tokens", "T", kind="int")
    asked = b.constant("questions", torch.randn(3, 4))
    y, state = b.lower(layer, b.embedding(tokens, table), name="layer")
    with b.inside("layer"):
        decoded, _ = layer.lower_step(b, asked, state)
    context, weights = b.attention(state[0].h, y, y, torch.randn(4))
    flat = b.slice(b.reshape(decoded, 12), 2, 8)
    first = b.slice(decoded, 0, 1, axis="first")
    twice = b.apply("maximum", b.repeat(context, 3), first)
    program = b.build(flat=flat, twice=twice, weights=weights, half=b.scale(context, 0.5, 1.0))
    run, model = exported(program, b, tmp_path)
    feed = np.random.default_rng(0).integers(0, 9, (B, T))
    wanted, _ = evaluate(program, model.tensors, model.tapes, [feed])
    got = run.run(None, {"tokens": feed})
    for a, e, value in zip(got, wanted, program.outputs, strict=True):
        assert_close(a, e.copy(), terms=TERMS, what=value.name)


def test_what_a_state_starts_from_is_in_the_metadata(tmp_path):
    layer = Recurrent("GRU", I, 4, learn_initial_state=True)
    torch.nn.init.normal_(layer.h_0_l0)
    elman.export.onnx(layer, tmp_path / "m.onnx")
    found = {p.key: p.value for p in onnx.load(tmp_path / "m.onnx").metadata_props}
    start = json.loads(found["state_start"])["h_l0"]
    assert torch.tensor(start).tolist() == layer.h_0_l0.tolist()


def test_a_tensor_and_an_input_of_one_name(tmp_path):
    b = Builder()
    x = b.input("weight", 4)
    program = b.build(y=b.linear(x, torch.randn(2, 4)))
    run, model = exported(program, b, tmp_path)
    values = np.ones((B, 4), np.float32)
    assert_close(
        run.run(None, {"weight": values})[0],
        evaluate(program, model.tensors, model.tapes, [values])[0][0],
        terms=TERMS,
    )


def test_importing_does_not_import_onnx():
    code = "import sys, elman.export; print('onnx' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
