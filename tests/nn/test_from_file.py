"""Programs as torch modules: every operation, in value and gradient."""

import numpy as np
import pytest
import torch

import elman
from elman.nn import Builder, Recurrent
from elman.nn.from_file import ProgramModule
from elman.nn.operations import _OPS
from elman.testing import assert_close
from elman_runtime import model as models
from elman_runtime.program import OPS, evaluate


def test_every_operation_of_the_table_is_there():
    assert set(_OPS) == set(OPS)


@pytest.fixture
def module(tmp_path):
    """A program of what no module of elman.nn is made of, and its model."""
    layer = Recurrent("SLSTM", 4, 4, dtype=torch.float64)
    b = Builder()
    tokens, extra = b.input("tokens", "T", kind="int"), b.input("extra", 2)
    asked = b.constant("questions", torch.randn(3, 4, dtype=torch.float64))
    embedded = b.embedding(tokens, torch.randn(9, 4, dtype=torch.float64))
    y, state = b.lower(layer, embedded, name="layer")
    with b.inside("layer"):
        decoded, _ = layer.lower_step(b, asked, state)
    v = torch.randn(4, dtype=torch.float64)
    context, weights = b.attention(state[0].h, y, y, v)
    flat = b.slice(b.reshape(decoded, 12), 2, 8)
    first = b.slice(decoded, 0, 1, axis="first")
    twice = b.apply("maximum", b.repeat(context, 3), first)
    moved = b.affine(extra, torch.randn(2, dtype=torch.float64), torch.ones(2).double())
    signs = b.apply("sqrt", b.apply("abs", b.apply("neg", moved)))
    program = b.build(flat=flat, twice=twice, weights=weights, signs=b.scale(signs, 0.5, 1.0))
    models.write_model(tmp_path / "x", {"main": program}, b.tapes, b.tensors, "test", {})
    model = models.load(tmp_path / "x")
    return ProgramModule(model), model


@pytest.mark.parametrize("lengths", [None, [5, 2, 1]], ids=["whole", "ragged"])
def test_a_program_of_many_operations(module, lengths):
    torch_module, model = module
    tokens = torch.randint(9, (3, 5))
    extra = torch.randn(3, 2, dtype=torch.float64)
    within = None if lengths is None else np.array(lengths)
    arrays = [tokens.numpy(), extra.numpy()]
    wanted, _ = evaluate(model.program(), model.tensors, model.tapes, arrays, within)
    got = torch_module(tokens, extra, lengths=lengths)
    for value, a, e in zip(model.program().outputs, got, wanted, strict=True):
        assert_close(a, e.copy(), terms=200, what=value.name)
    sum(y.square().sum() for y in got).backward()
    assert all(
        p.grad is not None and bool(p.grad.isfinite().all()) for p in torch_module.parameters()
    )


def test_wrong_arguments_are_refused(module):
    torch_module, model = module
    with pytest.raises(ValueError, match=r"takes \['tokens', 'extra'\], got 1"):
        torch_module(torch.zeros(3, 5))
    with pytest.raises(ValueError, match="has the programs main"):
        ProgramModule(model, "step")


def test_lengths_need_time(tmp_path):
    elman.save(torch.nn.Linear(3, 2), tmp_path / "x", quiet=True)
    with pytest.raises(ValueError, match="no axis of time"):
        elman.load(tmp_path / "x")(torch.zeros(2, 3), lengths=[1, 1])
