"""What torch and its tools do to modules, done before and after `accelerate`."""

import copy
import io
import pickle

import pytest
import torch
import torch._dynamo
import torch.distributed as dist
from torch import nn
from torch.nn.functional import dropout
from torch.nn.utils import parametrizations, parametrize, prune

import elman
from elman.testing import assert_close

NAMES = ("RNN", "LSTM", "GRU")
B, T, IN, H = 2, 4, 3, 5
TERMS = 3 * T * (IN + H + B)


def make(name="LSTM", *args, **options):
    torch.manual_seed(1)
    return getattr(nn, name)(IN, H, *args, **options)


class Tagger(nn.Module):
    """A model as users write them."""

    def __init__(self, rnn):
        super().__init__()
        self.rnn = rnn
        self.out = nn.Linear(H, 2)

    def forward(self, x):
        return self.out(self.rnn(x)[0])


def tagger():
    torch.manual_seed(1)
    return Tagger(nn.LSTM(IN, H))


def leaves(state):
    return state if isinstance(state, tuple) else (state,)


def left(module, x):
    """Outputs and states of a call, and every gradient."""
    x = x.clone().requires_grad_()
    out = [t for part in leaves(module(x)) for t in leaves(part)]
    torch.manual_seed(2)
    into = [x, *module.parameters()]
    return [*out, *torch.autograd.grad(out, into, [torch.randn_like(t) for t in out])]


def same(found, expected):
    for a, b in zip(found, expected, strict=True):
        assert_close(a, b, terms=TERMS)


# --- copies ------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["deepcopy", "pickle", "torch.save"])
@pytest.mark.parametrize("name", NAMES)
def test_a_copy_of_an_accelerated_model_is_accelerated(name, way):
    model, x = Tagger(make(name)), torch.randn(T, B, IN)
    expected = left(model, x)
    elman.accelerate(model)
    file = io.BytesIO()
    if way == "deepcopy":
        twin = copy.deepcopy(model)
    elif way == "pickle":
        twin = pickle.loads(pickle.dumps(model))
    else:
        torch.save(model, file)
        twin = torch.load(io.BytesIO(file.getvalue()), weights_only=False)
    assert type(twin.rnn) is getattr(elman.nn, name)
    same(left(twin, x), expected)


# --- weights that are computed -------------------------------------------------------------------


def old_weight_norm(rnn, name):
    with pytest.warns(FutureWarning, match="weight_norm"):
        nn.utils.weight_norm(rnn, name)


COMPUTED = {
    "weight_norm": parametrizations.weight_norm,
    "orthogonal": parametrizations.orthogonal,
    "old weight_norm": old_weight_norm,
    "old spectral_norm": nn.utils.spectral_norm,
    "prune": lambda rnn, name: prune.l1_unstructured(rnn, name, 0.4),
}


def computed(way, name):
    model = Tagger(make(name))  # the seed is set in here
    COMPUTED[way](model.rnn, "weight_hh_l0")
    return model


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("way", COMPUTED)
def test_a_computed_weight_is_computed_as_before(way, name):
    model, twin, x = computed(way, name), computed(way, name), torch.randn(T, B, IN)
    assert [f.reason for f in elman.accelerate(model).found] == [""]
    assert isinstance(model.rnn, getattr(elman.nn, name))
    assert list(model.state_dict()) == list(twin.state_dict())
    for _ in range(2):  # the old spectral norm takes one more step at each call
        same(left(model, x), left(twin, x))
    same(left(model.eval(), x), left(twin.eval(), x))


def test_a_copy_of_a_parametrised_layer_is_apart():
    """Copies share the class that torch made."""
    model, x = computed("weight_norm", "LSTM"), torch.randn(T, B, IN)
    twin = copy.deepcopy(model)
    elman.accelerate(model)
    assert not isinstance(twin.rnn, elman.nn.LSTM)
    again = copy.deepcopy(model)
    assert isinstance(again.rnn, elman.nn.LSTM)
    same(left(again, x), left(twin, x))


def test_a_parametrised_layer_is_still_one_for_torch():
    rnn, x = make(), torch.randn(T, B, IN)
    parametrizations.weight_norm(rnn, "weight_hh_l0")
    parametrizations.orthogonal(rnn, "weight_ih_l0")
    expected = left(rnn, x)
    report = elman.accelerate(rnn)
    assert report.found[0].kind == "ParametrizedLSTM"
    assert parametrize.type_before_parametrizations(rnn) is elman.nn.LSTM
    rnn.weight_hh_l0 = rnn.weight_hh_l0.detach()
    same(left(rnn, x), expected)
    with parametrize.cached():
        same(left(rnn, x), expected)
    with pytest.raises(RuntimeError, match=r"only supported through state_dict\(\)"):
        pickle.dumps(rnn)
    parametrize.remove_parametrizations(rnn, "weight_hh_l0")
    assert type(report.restore()).__bases__ == (nn.LSTM,)
    same([rnn(x)[0]], [expected[0]])
    elman.accelerate(rnn)
    parametrize.remove_parametrizations(rnn, "weight_ih_l0")
    assert type(rnn) is elman.nn.LSTM
    same([rnn(x)[0]], [expected[0]])


class Masked(nn.Module):
    """DropConnect: draws anew at each evaluation."""

    def forward(self, weight):
        return dropout(weight, 0.5)


def masked(rnn, name):
    parametrizations.weight_norm(rnn, name)
    parametrize.register_parametrization(rnn, name, Masked(), unsafe=True)


@pytest.mark.parametrize(
    ("compute", "by"), [(masked, "Masked"), (parametrizations.spectral_norm, "_SpectralNorm")]
)
@pytest.mark.parametrize("name", [*NAMES, "GRUCell"])
def test_a_parametrisation_that_may_change_is_left(name, compute, by):
    """torch's layers evaluate it more often, so that the numbers would be others."""
    model, twin, x = Tagger(make(name)), Tagger(make(name)), torch.randn(T, B, IN)
    for m in (model, twin):
        torch.manual_seed(3)
        compute(m.rnn, "weight_hh" if name == "GRUCell" else "weight_hh_l0")
    (found,) = elman.accelerate(model).found
    assert found.reason == f"{by} may change at each evaluation, and torch has more of them"
    x = x[0] if name == "GRUCell" else x
    ways = []
    for m in (model, twin):
        torch.manual_seed(4)
        ways.append([t for part in leaves(m.rnn(x)) for t in leaves(part)])
    same(*ways)


def test_a_weight_that_is_computed_outside_is_read():
    """AWD-LSTM: the weight is no parameter any more, it is set before each call."""

    class WeightDrop(nn.Module):
        def __init__(self, rnn):
            super().__init__()
            self.rnn, self.raw = rnn, nn.Parameter(rnn.weight_hh_l0.detach())
            del rnn._parameters["weight_hh_l0"]

        def forward(self, x):
            self.rnn.weight_hh_l0 = dropout(self.raw, 0.5)
            return self.rnn(x)

    model, twin, x = WeightDrop(make()), WeightDrop(make()), torch.randn(T, B, IN)
    elman.accelerate(model)
    for seed in range(2):
        torch.manual_seed(seed)
        found = left(model, x)
        torch.manual_seed(seed)
        same(found, left(twin, x))


def test_functional_call_gives_its_weights():
    model, x = tagger(), torch.randn(T, B, IN)
    weights = {k: v.detach() / 2 for k, v in model.named_parameters()}
    expected = torch.func.functional_call(model, weights, (x,))
    elman.accelerate(model)
    same(torch.func.functional_call(model, weights, (x,)), expected)


# --- many processes ------------------------------------------------------------------------------


@pytest.fixture
def group():
    """A group of this process alone."""
    if not dist.is_available():
        pytest.skip("torch was built without torch.distributed")
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def ddp(model):
    return nn.parallel.DistributedDataParallel(model)


def fsdp(model, **options):
    from torch.distributed.fsdp import FullyShardedDataParallel

    return FullyShardedDataParallel(model, device_id=torch.device("cpu"), **options)


def flat_fsdp(model):
    return fsdp(model, use_orig_params=False)


def named_fsdp(model):
    return fsdp(model, use_orig_params=True)


def fully_shard(model, *parts):
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh("cpu", (1,))
    for part in (*parts, model):
        fully_shard(part, mesh=mesh)
    return model


def learnt(wrapped, model, x):
    """Outputs, and the first weights after a step."""
    y = wrapped(x)
    y.square().sum().backward()
    torch.optim.SGD(wrapped.parameters(), 0.1).step()
    return [y.detach(), wrapped(x).detach()]


@pytest.mark.usefixtures("group")
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("wrap", [ddp, flat_fsdp, named_fsdp, fully_shard])
@pytest.mark.parametrize("order", ["wrapped before", "wrapped after"])
def test_what_spreads_over_processes_takes_it(wrap, order):
    model, twin, x = tagger(), tagger(), torch.randn(T, B, IN)
    expected = learnt(twin, twin, x)
    if order == "wrapped before":
        wrapped = wrap(model)
        report = elman.accelerate(wrapped)
    else:
        report = elman.accelerate(model)
        wrapped = wrap(model)
    assert [f.swapped for f in report.found] == [True]
    assert type(model.rnn) is elman.nn.LSTM
    same(learnt(wrapped, model, x), expected)
    report.restore()
    assert type(model.rnn) is nn.LSTM


@pytest.mark.usefixtures("group")
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
def test_a_layer_that_is_itself_sharded_must_be_accelerated_first():
    model, twin, x = tagger(), tagger(), torch.randn(T, B, IN)
    fully_shard(model, model.rnn)
    report = elman.accelerate(model)
    assert [f.reason.split(":")[0] for f in report.found] == ["a subclass"]
    expected = learnt(model, model, x)
    report = elman.accelerate(twin)
    fully_shard(twin, twin.rnn)
    assert isinstance(twin.rnn, elman.nn.LSTM)
    same(learnt(twin, twin, x), expected)
    with pytest.raises(ValueError, match="restore: rnn has become FSDPLSTM since accelerate"):
        report.restore()


# --- compilers -----------------------------------------------------------------------------------


@pytest.fixture
def dynamo():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.plain_code
@pytest.mark.usefixtures("dynamo")
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # looked at by Dynamo
def test_a_compiled_model_runs_what_is_swapped_in_later(whole, monkeypatch):
    model, x, seen = tagger(), torch.randn(T, B, IN), []
    forward = elman.nn.LSTM.forward
    with torch._dynamo.config.patch(allow_rnn=whole):
        compiled = torch.compile(model, backend="eager", fullgraph=whole)
        expected = compiled(x)
        report = elman.accelerate(compiled)
        same([compiled(x)], [expected])
        monkeypatch.setattr(elman.nn.LSTM, "forward", lambda *a: seen.append(1) or forward(*a))
        torch._dynamo.reset()
        same([compiled(x)], [expected])
        assert seen
        report.restore()
        same([compiled(x)], [expected])
    assert len(seen) == 1


@pytest.mark.plain_code
@pytest.mark.usefixtures("dynamo")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # looked at by Dynamo
def test_a_layer_compiled_in_place_is_swapped():
    model, x = tagger(), torch.randn(T, B, IN)
    model.rnn.compile(backend="eager")
    expected = model(x)
    elman.accelerate(model)
    assert type(model.rnn) is elman.nn.LSTM
    same([model(x)], [expected])


@pytest.mark.plain_code
def test_a_traced_graph_is_accelerated():
    model, x = tagger(), torch.randn(T, B, IN)
    expected = left_of_tagger(model, x)
    graph = torch.fx.symbolic_trace(model)
    elman.accelerate(graph)
    assert type(graph.rnn) is elman.nn.LSTM
    same(left_of_tagger(graph, x), expected)


def left_of_tagger(model, x):
    y = model(x)
    return [y, *torch.autograd.grad(y.square().sum(), [*model.parameters()])]


@pytest.mark.plain_code
def test_torch_jit_takes_the_model_after_restore():
    model, x = tagger(), torch.randn(T, B, IN)
    report = elman.accelerate(model)
    scripted = torch.jit.script(report.restore())
    same([scripted(x)], [model(x)])
