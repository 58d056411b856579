"""The native engine where torch looks into it: compiled, exported, transformed."""

import subprocess
import sys

import pytest
import torch

from elman.cells import GRU, LSTM, LayerNormGRU, MinGRU, PeepholeLSTM
from elman.engine import EngineUnavailable, use
from elman.export import register_states
from elman.nn import Recurrent
from elman.testing import assert_close
from elman.testing.case import Case, Size, outcome
from elman_runtime import native

pytestmark = pytest.mark.skipif(
    not native.available, reason="elman-runtime was installed without its compiled module"
)
SIZE = Size(3, 4, 2, 5)
TERMS = 3 * 4 * (2 + 5) * 4
CELLS = (GRU, LSTM, MinGRU, LayerNormGRU, PeepholeLSTM)


def operators(graph: torch.fx.Graph) -> set[str]:
    return {str(node.target) for node in graph.nodes if node.op == "call_function"}


@pytest.mark.plain_code
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@pytest.mark.parametrize("cell", CELLS)
def test_compile(cell, backend) -> None:
    torch._dynamo.reset()
    case = Case(cell, SIZE, torch.float32)
    layer = case.layer(bidirectional=True)
    a = case.arguments(layer)
    reset = torch.tensor([[False, True, False, False]]).expand(3, 4)
    options = {"lengths": torch.tensor([4, 2, 0]), "reset": reset}
    with use("native"):
        expected = outcome(layer, a, lambda layer, a: layer(a.x, a.state, **options))
        compiled = torch.compile(layer, fullgraph=True, backend=backend)
        found = outcome(layer, a, lambda layer, a: compiled(a.x, a.state, **options))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert_close(found[name], value, terms=TERMS, what=name)


@pytest.mark.plain_code
def test_compiled_weights_may_change() -> None:
    torch._dynamo.reset()
    layer, x = Recurrent(MinGRU, 2, 5), torch.randn(3, 4, 2)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    for _ in range(2):
        assert_close(compiled(x)[0], layer(x)[0], terms=TERMS)
        with torch.no_grad():
            layer.weight_ih_l0.mul_(2)


PROGRAM = """
import sys, torch, elman
program = torch.export.load(sys.argv[1])
given = torch.load(sys.argv[2])
found = program.module()(given["x"])[0]
assert torch.equal(found, given["y"]), (found - given["y"]).abs().max()
print("equal")
"""


WITH_STATE = """
import sys, torch
from elman import cells
from elman.export import register_states
cell = getattr(cells, sys.argv[1])
register_states(cell)
program, given = torch.export.load("program.pt2"), torch.load("given.pt")
y, state = program.module()(given["x"])
assert torch.equal(y, given["y"])
for layer, expected in zip(state, given["state"], strict=True):
    assert isinstance(layer, cell.State)
    assert all(map(torch.equal, layer, expected))
print("equal")
"""


class Plain(torch.nn.Module):
    """A layer that returns tensors alone."""

    def __init__(self, layer: Recurrent) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x):
        y, (final,) = self.layer(x)
        return y, *final


@pytest.mark.plain_code
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("cell", CELLS)
def test_export(cell) -> None:
    layer, x = Recurrent(cell, 2, 5).eval(), torch.randn(3, 4, 2)
    steps = torch.export.Dim("steps", min=2, max=64)
    with use("native"):
        program = torch.export.export(layer, (x,), dynamic_shapes={"x": {1: steps}})
        assert "elman.recurrent.default" in operators(program.graph)
        for other in (x, torch.randn(3, 9, 2)):
            assert_close(program.module()(other)[0], layer(other)[0], terms=TERMS)


@pytest.mark.plain_code
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_an_exported_program_runs_where_elman_is_imported(tmp_path) -> None:
    layer, x = Plain(Recurrent(MinGRU, 2, 5)).eval(), torch.randn(3, 4, 2)
    program = torch.export.export(layer, (x,))
    torch.export.save(program, tmp_path / "program.pt2")
    y = program.module()(x)[0].detach()
    assert_close(y, layer(x)[0], terms=TERMS)  # the products of a program are torch's
    torch.save({"x": x, "y": y}, tmp_path / "given.pt")
    command = [sys.executable, "-c", PROGRAM, "program.pt2", "given.pt"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "equal\n"


@pytest.mark.plain_code
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("cell", [MinGRU, LSTM])
def test_an_exported_layer_is_saved_with_its_state(cell, tmp_path) -> None:
    # An exported LSTM is oneDNN's, which here has so many rows.
    layer, x = Recurrent(cell, 2, 5, layers=2).eval(), torch.randn(9, 4, 2)
    register_states(cell)
    register_states(cell)  # once more does no harm
    program = torch.export.export(layer, (x,))
    torch.export.save(program, tmp_path / "program.pt2")
    y, state = program.module()(x)
    assert_close(y, layer(x)[0], terms=TERMS)
    torch.save({"x": x, "y": y.detach(), "state": list(map(tuple, state))}, tmp_path / "given.pt")
    command = [sys.executable, "-c", WITH_STATE, cell.__name__]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "equal\n"


@pytest.mark.errors
def test_states_are_registered_of_cells_alone() -> None:
    with pytest.raises(TypeError, match="cells must be Cell classes; got 'GRU'"):
        register_states("GRU")


TRANSFORMS = {
    "vmap": lambda f, x: torch.func.vmap(f)(x[:, None]),
    "jvp": lambda f, x: torch.func.jvp(f, (x,), (x,))[1],
    "gradient of each row": lambda f, x: torch.func.vmap(
        torch.func.grad(lambda row: f(row[None]).square().sum())
    )(x),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms_go_to_the_reference(name) -> None:
    layer, x = Recurrent(PeepholeLSTM, 2, 5, dtype=torch.float64), torch.randn(3, 4, 2).double()
    found = TRANSFORMS[name](lambda x: layer(x)[0], x)
    with use("reference"):
        expected = TRANSFORMS[name](lambda x: layer(x)[0], x)
    assert torch.equal(found, expected)
    with use("native"), pytest.raises(EngineUnavailable, match=r"torch\.func's vmap and jvp"):
        TRANSFORMS[name](lambda x: layer(x)[0], x)
