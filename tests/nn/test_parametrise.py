"""U held orthogonal, or of a norm of at most 1."""

import copy

import pytest
import torch
from torch.nn.utils import parametrize

import elman
from elman.nn import Recurrent, orthogonal_, spectral_
from elman.train import FitSettings, fit

LAYERS = {
    "Recurrent RNN": (lambda: Recurrent("RNN", 3, 6), 1),
    "Recurrent LSTM": (lambda: Recurrent("LSTM", 3, 6, 2, bidirectional=True), 4),
    "drop-in GRU": (lambda: elman.nn.GRU(3, 6, 2, bidirectional=True), 3),
    "projected": (lambda: Recurrent("LSTM", 3, 6, proj_size=4), 4),
}


def blocks(layer, gates):
    names = [name for name in layer.parametrizations if name.startswith("weight_hh")]
    return [b for name in names for b in getattr(layer, name).chunk(gates)]


def trained(layer):
    """After some steps that pull U away from where it is."""
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.3)
    x = torch.randn(4, 5, 3)
    for _ in range(5):
        optimizer.zero_grad()
        layer(x)[0].square().mean().neg().backward()
        optimizer.step()
    return layer


@pytest.mark.parametrize("name", LAYERS)
def test_orthogonal_stays_orthogonal_in_training(name):
    make, gates = LAYERS[name]
    layer = make()
    start = [b.clone() for b in blocks(orthogonal_(layer), gates)]
    for before, u in zip(start, blocks(trained(layer), gates), strict=True):
        torch.testing.assert_close(u.T @ u, torch.eye(u.shape[1]), atol=1e-5, rtol=0)
        assert not torch.allclose(u, before, atol=1e-2)


def test_an_orthogonal_u_stays_what_it_was():
    layer = Recurrent("GRU", 3, 6)  # starts orthogonal
    before = layer.weight_hh_l0.detach().clone()
    torch.testing.assert_close(orthogonal_(layer).weight_hh_l0, before)


@pytest.mark.parametrize("name", LAYERS)
def test_spectral_bounds_the_norm(name):
    make, gates = LAYERS[name]
    layer = spectral_(make(), 0.8)
    with torch.no_grad():
        for chain in layer.parametrizations.values():
            chain.original.mul_(7)
    norms = [float(torch.linalg.matrix_norm(u, 2).detach()) for u in blocks(trained(layer), gates)]
    assert max(norms) <= 0.8 * (1 + 1e-5)
    assert max(norms) == pytest.approx(0.8, rel=1e-4)


def test_spectral_leaves_a_shorter_u_as_it_is():
    layer = Recurrent("RNN", 3, 6)
    with torch.no_grad():
        layer.weight_hh_l0.mul_(0.5)
    before = layer.weight_hh_l0.detach().clone()
    assert torch.equal(spectral_(layer).weight_hh_l0, before)


@pytest.mark.parametrize("hold", [orthogonal_, spectral_])
def test_every_engine_sees_the_result(hold):
    layer = hold(Recurrent("LSTM", 3, 6).double())
    x = torch.randn(2, 5, 3, dtype=torch.float64)

    def gradients(engine):
        layer.zero_grad()
        with elman.engine.use(engine):
            layer(x)[0].sum().backward()
        return [p.grad.clone() for p in layer.parameters()]

    expected = gradients("reference")
    assert all(g.any() for g in expected)
    for engine in ("native", "torch"):
        for found, wanted in zip(gradients(engine), expected, strict=True):
            torch.testing.assert_close(found, wanted)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("hold", [orthogonal_, spectral_])
def test_gradients_of_what_is_trained_are_right(hold):
    layer = Recurrent("RNN", 2, 3, engine="reference")
    with torch.no_grad():
        layer.weight_hh_l0.mul_(3)
    (chain,) = hold(layer).parametrizations.values()
    x = torch.randn(2, 3, 2)

    def run(free):
        with parametrize.cached():
            found = torch.func.functional_call(
                layer, {"parametrizations.weight_hh_l0.original": free}, (x,)
            )
        return found[0]

    free = chain.original.detach().clone().normal_(std=0.3) + chain.original.detach()
    assert torch.autograd.gradcheck(run, free.requires_grad_())


def test_whole_models_copies_and_removal():
    model = orthogonal_(torch.nn.ModuleList([Recurrent("RNN", 3, 4), Recurrent("MinGRU", 3, 4)]))
    again = copy.deepcopy(model)
    assert torch.equal(again[0].weight_hh_l0, model[0].weight_hh_l0)
    u = model[0].weight_hh_l0.detach().clone()
    parametrize.remove_parametrizations(model[0], "weight_hh_l0")
    assert torch.equal(model[0].weight_hh_l0, u)


class Ones:
    def __len__(self):
        return 5

    def __getitem__(self, k):
        return torch.ones(2, 3, 1)


def test_a_training_that_is_resumed_ends_the_same(tmp_path):
    def run(steps, folder, resume=False):
        torch.manual_seed(0)
        layer = orthogonal_(Recurrent("RNN", 1, 4))
        settings = FitSettings(steps=steps, schedule="constant")

        def loss(model, x, _):
            return model(x)[0].mean(), None

        fit(layer, Ones(), loss, None, settings, tmp_path / folder, resume=resume)
        return layer.weight_hh_l0.detach()

    run(2, "cut")
    assert torch.equal(run(4, "cut", resume=True), run(4, "whole"))


@pytest.mark.errors
def test_refusals():
    with pytest.raises(TypeError, match=r"does not read parametrised weights: use elman\.nn\.LSTM"):
        orthogonal_(torch.nn.LSTM(3, 4))
    with pytest.raises(ValueError, match="without: cells without U"):
        orthogonal_(Recurrent("MinGRU", 3, 4))
    with pytest.raises(ValueError, match="parametrised already"):
        spectral_(orthogonal_(Recurrent("RNN", 3, 4)))
    with pytest.raises(ValueError, match="AntisymmetricRNN constrains U itself"):
        orthogonal_(Recurrent("AntisymmetricRNN", 3, 4))
    with pytest.raises(ValueError, match="most: must be above 0, got 0"):
        spectral_(Recurrent("RNN", 3, 4), 0)
