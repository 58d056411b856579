"""Plots draw what they are given, on the axes they are given."""

import sys

import numpy as np
import pytest
import torch

import elman
from elman.doctor import examine, picture
from elman.nn import Recurrent
from elman.report import plots

X = torch.randn(2, 12, 3)
X4 = torch.randn(2, 12, 4)


@pytest.fixture
def trace():
    return elman.inspect(Recurrent("LSTM", 3, 5), X, lengths=[12, 7])["l0"]


@pytest.fixture
def ax():
    return plots.figure()[1][0]


def test_gates_over_characters(ax, trace):
    assert picture.gates(ax, trace, labels="a few $words") is ax
    assert [line.get_label() for line in ax.lines] == ["i", "f", "o"]
    assert np.allclose(ax.lines[1].get_ydata(), trace["f"][0].mean(1))
    assert [tick.get_text() for tick in ax.get_xticklabels()] == [*"a few $words"]


def test_a_row_ends_where_it_ends(ax, trace):
    picture.gates(ax, trace, row=1, names=["g"], labels=[f"column {k}" for k in range(7)])
    assert ax.lines[0].get_xdata().tolist() == list(range(7))
    assert [tick.get_text() for tick in ax.get_xticklabels()][:2] == ["column 0", "column 1"]


@pytest.mark.parametrize(("name", "low"), [("h", None), ("f", 0.0)])
def test_states_are_an_image_of_units_by_steps(ax, trace, name, low):
    assert picture.states(ax, trace, row=1, name=name) is ax
    (image,) = ax.images
    assert image.get_array().shape == (5, 7)
    assert sorted(image.get_array().ravel()) == pytest.approx(sorted(trace[name][1, :7].ravel()))
    least, most = image.get_clim()
    assert least == (-most if low is None else low)


def test_gradients_of_several_models_on_one_axis(ax):
    found = {
        kind: elman.inspect(Recurrent(kind, 3, 5), X, loss=lambda out: out[0][:, -1].sum())
        for kind in ("RNN", "GRU")
    }
    curves = {**found, "by hand": np.array([0.0, 1.0, 2.0])}
    assert picture.gradient_norm(ax, curves) is ax
    assert ax.get_yscale() == "log"
    assert [line.get_label() for line in ax.lines] == ["RNN", "GRU", "by hand"]
    assert np.allclose(ax.lines[0].get_ydata(), found["RNN"].gradient_norm())
    assert np.isnan(ax.lines[2].get_ydata()[0]), "no zero on a logarithmic axis"


def test_memory_and_spectrum(ax):
    layer = examine(Recurrent("GRU", 3, 5), X).layers["l0"]
    assert picture.memory(ax, {"GRU": layer.memory}) is ax
    assert ax.lines[0].get_ydata().max() == pytest.approx(1.0)
    other = plots.figure()[1][0]
    assert picture.spectrum(other, layer.spectra) is other
    assert len(other.lines) == 4, "the circle and three gates"
    assert "currentColor" in plots.svg(other)


@pytest.mark.parametrize("kind", ["LSTM", "LRU", "RNN"])
def test_the_picture_has_a_row_for_each_layer(kind):
    found = examine(Recurrent(kind, 4, 4), torch.randn(2, 12, 4))
    assert len(found.figure().axes) == 3
    if kind == "LSTM":
        many = examine(Recurrent(kind, 4, 4, layers=2, bidirectional=True), torch.randn(2, 9, 4))
        assert len(many.figure().axes) == 12


def test_where_nothing_is_at_its_ends_that_is_said():
    layer = Recurrent("GRU", 4, 4)
    words = "none at its ends"
    assert [t.get_text() for t in examine(layer, 0.1 * X4).figure().axes[1].texts] == [words]
    elman.init.forget_bias_(layer, -30.0)
    assert not examine(layer, X4).figure().axes[1].texts


def test_distances_are_whole_steps(ax):
    picture.memory(ax, {"GRU": examine(Recurrent("GRU", 3, 5), X[:, :2]).layers["l0"].memory})
    assert all(tick == round(tick) for tick in ax.get_xticks())


def test_a_picture_of_nothing_is_empty():
    found = examine(Recurrent("GRU", 4, 4), torch.randn(2, 1, 4))
    assert not any(ax.lines for ax in found.figure().axes)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda ax, t: picture.gates(ax, t, labels="short"), "labels: must be one for each of 12"),
        (lambda ax, t: picture.gates(ax, t, row=2), "row: must be below 2"),
    ],
)
def test_mistakes_are_explained(ax, trace, call, said):
    with pytest.raises(ValueError, match=said):
        call(ax, trace)


def test_a_layer_without_gates_says_so(ax):
    trace = elman.inspect(Recurrent("RNN", 3, 5), X)["l0"]
    with pytest.raises(ValueError, match="has no gates"):
        picture.gates(ax, trace)


def test_nothing_global_is_used(ax, trace):
    before = "matplotlib.pyplot" in sys.modules
    picture.states(picture.gates(ax, trace), trace)
    assert ("matplotlib.pyplot" in sys.modules) == before
