"""What torch does to modules, done to the drop-ins."""

import copy
import pickle

import pytest
import torch
import torch._dynamo
from torch import nn
from torch.nn.utils import parametrizations, parametrize
from torch.nn.utils.rnn import pack_padded_sequence

import elman
from elman import engine

NAMES = ("RNN", "LSTM", "GRU")
B, T, IN, H = 2, 4, 3, 5
LENGTHS = torch.tensor([4, 2])
RESET = torch.tensor([[False, False, True, False], [False, True, False, False]])


def make(name, *args, **options):
    torch.manual_seed(1)
    return getattr(elman.nn, name)(IN, H, *args, **options)


def same(one, two):
    torch.testing.assert_close(one, two)


class Halved(nn.Module):
    def forward(self, weight):
        return weight / 2


def halved(name):
    layer = make(name)
    with torch.no_grad():
        layer.weight_hh_l0.mul_(0.5)
    return layer


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
@pytest.mark.parametrize("name", NAMES)
def test_a_copy_gives_the_same_and_is_apart(name, copied):
    layer, x = make(name, 2, bidirectional=True), torch.randn(T, B, IN)
    twin = copied(layer)
    same(twin(x, lengths=LENGTHS), layer(x, lengths=LENGTHS))
    with torch.no_grad():
        twin.weight_hh_l1_reverse.zero_()
    assert not torch.equal(twin(x)[0], layer(x)[0])


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("name", NAMES)
def test_a_parametrised_weight_is_computed_at_each_call(name, lengths):
    layer, x = make(name), torch.randn(T, B, IN)
    parametrize.register_parametrization(layer, "weight_hh_l0", Halved())
    same(layer(x, lengths=lengths), halved(name)(x, lengths=lengths))
    layer(x, lengths=lengths)[0].sum().backward()
    with torch.no_grad():
        layer.parametrizations.weight_hh_l0.original.zero_()
    zeroed = make(name)
    nn.init.zeros_(zeroed.weight_hh_l0)
    same(layer(x, lengths=lengths), zeroed(x, lengths=lengths))
    same(copy.deepcopy(layer)(x), zeroed(x))


@pytest.mark.parametrize("name", NAMES)
def test_weight_norm_changes_nothing_at_first(name):
    layer, x = make(name), torch.randn(T, B, IN)
    parametrizations.weight_norm(layer, "weight_hh_l0")
    same(layer(x), make(name)(x))


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("name", NAMES)
def test_functional_call_runs_on_the_weights_it_is_given(name, lengths):
    layer, twin, x = make(name), halved(name), torch.randn(T, B, IN)
    weights = {k: v.detach().clone().requires_grad_() for k, v in twin.named_parameters()}
    found = torch.func.functional_call(layer, weights, (x,), {"lengths": lengths})
    same(found, twin(x, lengths=lengths))
    found[0].sum().backward()
    assert all(v.grad is not None for v in weights.values())
    assert all(p.grad is None for p in layer.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_weights_written_through_data_are_read(name):
    layer, x = make(name), torch.randn(T, B, IN)
    layer(x)
    layer.weight_hh_l0.data = layer.weight_hh_l0.data / 2
    same(layer(x), halved(name)(x))
    layer.weight_hh_l0.data.mul_(0)
    same(layer(x, lengths=LENGTHS), layer(x, lengths=LENGTHS))
    zeroed = make(name)
    nn.init.zeros_(zeroed.weight_hh_l0)
    same(layer(x), zeroed(x))


@pytest.mark.parametrize("name", NAMES)
def test_another_dtype_after_to(name):
    layer = make(name).double()
    assert layer(torch.randn(T, B, IN).double(), lengths=LENGTHS)[0].dtype == torch.float64


@pytest.mark.parametrize("name", NAMES)
def test_under_autocast_it_is_torch_s(name):
    layer, twin = make(name, 2), getattr(nn, name)(IN, H, 2)
    twin.load_state_dict(layer.state_dict())
    x = torch.randn(T, B, IN)
    with torch.autocast("cpu", torch.bfloat16):
        same(layer(x), twin(x))
        assert layer(x, lengths=LENGTHS)[0].dtype == twin(x)[0].dtype


@pytest.mark.parametrize("options", [{}, {"lengths": LENGTHS}])
@pytest.mark.parametrize("name", NAMES)
def test_double_backward(name, options):
    layer = make(name, dtype=torch.float64)
    x = torch.randn(T, B, IN, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: layer(x, **options)[0], (x,))


# --- compiling -----------------------------------------------------------------------------------


@pytest.fixture
def allow_rnn():
    """Dynamo refuses every subclass of torch.nn.RNN, LSTM and GRU unless this is set."""
    torch._dynamo.reset()
    with torch._dynamo.config.patch(allow_rnn=True):
        yield
    torch._dynamo.reset()


def call(form, layer, x):
    if form == "packed":
        y, state = layer(pack_padded_sequence(x, [4, 2]))
        return y.data, state
    if form == "reset":
        with engine.use("reference"):
            return layer(x, reset=RESET)
    return layer(x, lengths=LENGTHS) if form == "lengths" else layer(x)


@pytest.mark.plain_code
@pytest.mark.usefixtures("allow_rnn")
@pytest.mark.parametrize("form", ["plain", "lengths", "reset", "packed"])
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@pytest.mark.parametrize("name", NAMES)
def test_compiles_whole(name, backend, form):
    layer, x = make(name), torch.randn(T, B, IN)
    compiled = torch.compile(layer, fullgraph=True, backend=backend)
    found, expected = call(form, compiled, x), call(form, layer, x)
    same(found, expected)
    weights = list(layer.parameters())
    same(
        torch.autograd.grad(found[0].pow(2).sum(), weights),
        torch.autograd.grad(expected[0].pow(2).sum(), weights),
    )


@pytest.mark.plain_code
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # looked at by Dynamo
def test_without_the_setting_torch_itself_refuses_the_whole_graph(name):
    """If this fails, torch has learnt it: `allow_rnn` can go from here and the documentation."""
    torch._dynamo.reset()
    layer, x = make(name), torch.randn(T, B, IN)
    with pytest.raises(torch._dynamo.exc.Unsupported, match="RNN, GRU, or LSTM"):
        torch.compile(layer, fullgraph=True, backend="eager")(x)
    torch._dynamo.reset()
    same(torch.compile(layer, backend="eager")(x), layer(x))


@pytest.mark.plain_code
@pytest.mark.usefixtures("allow_rnn")
def test_what_is_forced_while_compiling_is_compiled_in():
    layer, x = make("GRU"), torch.randn(T, B, IN)
    graphs = []

    def keep(graph, inputs):
        graphs.append(str(graph.code))
        return graph

    with engine.use("reference"):
        torch.compile(layer, fullgraph=True, backend=keep)(x)
    torch._dynamo.reset()
    torch.compile(layer, fullgraph=True, backend=keep)(x)
    assert "elman.recurrent" not in graphs[0]
    assert "elman.recurrent" in graphs[1]


@pytest.mark.plain_code
@pytest.mark.parametrize("lengths", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_exports_for_any_batch(name, lengths):
    layer = make(name, 2, bidirectional=True).eval()
    given = {"lengths": LENGTHS} if lengths else {}
    rows = torch.export.Dim("rows", min=2)
    shapes = {"input": {1: rows}} | ({"lengths": {0: rows}} if lengths else {})
    x = torch.randn(T, B, IN)
    program = torch.export.export(layer, (x,), given, dynamic_shapes=shapes).module()
    same(program(x, **given), layer(x, **given))
    wide = torch.randn(T, 5, IN)
    more = {"lengths": torch.tensor([1, 4, 2, 3, 0])} if lengths else {}
    same(program(wide, **more), layer(wide, **more))
