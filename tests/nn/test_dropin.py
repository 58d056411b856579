"""The drop-ins are torch's layers, number for number; and what torch refuses is run row by row."""

from collections import Counter

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import elman
from elman import engine
from elman.testing import assert_close
from elman.testing.dropin_cases import Configuration, compare, configurations, facets
from elman.testing.tolerance import compare as measure

NAMES = ("RNN", "LSTM", "GRU")
B, T, IN, H = 3, 7, 4, 5

pytestmark = pytest.mark.filterwarnings(
    "ignore::elman.engine.SlowPathWarning", "ignore:LSTM with projections:UserWarning"
)


def pair(name, **options):
    """The drop-in and torch's layer, initialised alike."""
    layers = []
    for classes in (elman.nn, nn):
        torch.manual_seed(1)
        layers.append(getattr(classes, name)(IN, H, **options))
    return layers


def leaves(state):
    return state if isinstance(state, tuple) else (state,)


def left(layer, x, *, upstream, **options):
    """Outputs, states and all gradients of a call, as a list of tensors."""
    x = x.clone().requires_grad_()
    y, state = layer(x, **options)
    torch.manual_seed(upstream)
    out = [y, *leaves(state)]
    into = [x, *layer.parameters()]
    return out + list(torch.autograd.grad(out, into, [torch.randn_like(t) for t in out]))


# --- torch's own features ------------------------------------------------------------------------


def test_500_random_configurations_give_torch_s_numbers():
    wrong = []
    for c in configurations(500):
        found = (measure(k.actual, k.expected, terms=c.terms, what=k.what) for k in compare(c))
        wrong += [f"{c}: {worst}" for worst in found if not worst.ratio <= 1]
    assert not wrong, f"{len(wrong)} differ, the first: {wrong[0]}"


def test_the_configurations_cover_every_option():
    count = Counter(facet for c in configurations(500) for facet in facets(c))
    assert min(count.values()) >= 50
    assert len(count) >= 45


@pytest.mark.parametrize("name", NAMES)
def test_it_is_torch_s_class_with_torch_s_names(name):
    ours, theirs = pair(name, num_layers=2, bidirectional=True)
    assert isinstance(ours, getattr(nn, name))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert repr(ours) == repr(theirs)
    ours.load_state_dict(theirs.state_dict())


@pytest.mark.parametrize("name", NAMES)
def test_float32_is_torch_s_too(name):
    ours, theirs = pair(name, num_layers=2)
    x = torch.randn(T, B, IN)
    for mine, other in zip(left(ours, x, upstream=2), left(theirs, x, upstream=2), strict=True):
        assert_close(mine, other, terms=T * (IN + H + B))


def test_positional_arguments_are_torch_s():
    assert elman.nn.RNN(IN, H, 2, "relu", False, True).cell is elman.cells.RNNReLU
    assert elman.nn.LSTM(IN, H, 2, False, True).batch_first


@pytest.mark.parametrize("name", NAMES)
def test_an_initialiser_of_elman_knows_its_gates(name):
    said = elman.init.recommended_(elman.nn.__dict__[name](IN, H))
    assert any("forget gate" in line for line in said) == (name != "RNN")


# --- lengths, steps and rows that torch refuses --------------------------------------------------


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("forced", [None, "reference"])
@pytest.mark.parametrize("fill", [float("nan"), 123.0])
@pytest.mark.parametrize("name", NAMES)
def test_padding_is_not_read(name, fill, forced):
    layer, _ = pair(name, num_layers=2, bidirectional=True, batch_first=True)
    lengths = torch.tensor([4, 0, 7])
    clean = torch.randn(B, T, IN).masked_fill(
        torch.arange(T)[None, :, None] >= lengths[:, None, None], 0
    )
    dirty = clean.masked_fill(torch.arange(T)[None, :, None] >= lengths[:, None, None], fill)
    with engine.use(forced):
        one = left(layer, clean, upstream=3, lengths=lengths)
        two = left(layer, dirty, upstream=3, lengths=lengths)
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("forced", [None, "reference"])
@pytest.mark.parametrize("options", [{}, {"batch_first": True}, {"proj_size": 2}])
@pytest.mark.parametrize("name", NAMES)
def test_a_row_with_a_length_is_that_row_alone(name, options, forced):
    if "proj_size" in options and name != "LSTM":
        pytest.skip("torch projects the LSTM alone")
    layer, twin = pair(name, num_layers=2, bidirectional=True, **options)
    lengths = [4, 0, 7]
    x = torch.randn(T, B, IN)
    first = [torch.randn(4, B, w) for w in (options.get("proj_size", H), H)][
        : len(layer.cell.state)
    ]
    given = x.transpose(0, 1) if layer.batch_first else x
    with engine.use(forced):
        y, state = layer(given, first if len(first) > 1 else first[0], lengths=lengths)
    y = y.transpose(0, 1) if layer.batch_first else y
    for row, n in enumerate(lengths):
        before = [s[:, row : row + 1] for s in first]
        assert not y[n:, row].any()
        if n == 0:
            after = before
        else:
            one = x[:n, row : row + 1]
            one = one.transpose(0, 1) if layer.batch_first else one
            alone, after = twin(one, tuple(before) if len(before) > 1 else before[0])
            alone = alone.transpose(0, 1) if layer.batch_first else alone
            assert_close(y[:n, row], alone[:, 0], terms=T * (IN + H))
        for s, a in zip(leaves(state), leaves(after) if n else after, strict=True):
            assert_close(s[:, row], a[:, 0], terms=T * (IN + H))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("forced", [None, "torch", "reference"])
@pytest.mark.parametrize("name", NAMES)
def test_no_steps_leave_the_state_as_it_was(name, forced):
    layer, _ = pair(name, num_layers=2, bidirectional=True)
    first = tuple(torch.randn(4, B, H, requires_grad=True) for _ in layer.cell.state)
    hx = first if len(first) > 1 else first[0]
    with engine.use(forced):
        y, state = layer(torch.randn(0, B, IN), hx)
    assert y.shape == (0, B, 2 * H)
    assert all(torch.equal(s, f) for s, f in zip(leaves(state), first, strict=True))
    upstream = [torch.randn_like(s) for s in first]
    found = torch.autograd.grad(leaves(state), first, upstream)
    assert all(torch.equal(a, b) for a, b in zip(found, upstream, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_no_rows_are_legal(name):
    layer, _ = pair(name)
    y, state = layer(torch.randn(T, 0, IN))
    assert y.shape == (T, 0, H)
    assert leaves(state)[0].shape == (1, 0, H)


@pytest.mark.parametrize("name", NAMES)
def test_one_sequence_without_a_batch_may_have_a_length(name):
    layer, _ = pair(name)
    x = torch.randn(T, IN)
    y, state = layer(x, lengths=[4])
    alone, after = layer(x[:4])
    assert_close(y[:4], alone, terms=T * (IN + H))
    assert not y[4:].any()
    assert_close(leaves(state)[0], leaves(after)[0], terms=T * (IN + H))


# --- reset ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("ways", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_packed_documents_are_the_documents_run_apart(name, ways, batch_first):
    """One layer: between layers the documents of a row stay apart as well, tested below."""
    layer, _ = pair(name, bidirectional=ways == 2, batch_first=batch_first)
    documents = [torch.randn(n, IN, requires_grad=True) for n in (3, 1, 4)]
    row = torch.cat(documents)
    reset = torch.zeros(1, len(row), dtype=torch.bool)
    reset[0, [3, 4]] = True
    y, _ = layer(row[None] if batch_first else row[:, None], reset=reset)
    apart = torch.cat([layer(d)[0] for d in documents])
    y = y[0] if batch_first else y[:, 0]
    assert_close(y, apart, terms=len(row) * (IN + H))
    into, upstream = [*documents, *layer.parameters()], torch.randn_like(y)
    one, two = (torch.autograd.grad(out, into, upstream) for out in (y, apart))
    for a, b in zip(one, two, strict=True):
        assert_close(a, b, terms=len(row) * (IN + H))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", NAMES)
def test_documents_stay_apart_through_layers_and_lengths(name):
    layer, _ = pair(name, num_layers=3, bidirectional=True)
    x, reset = torch.randn(T, 2, IN), torch.zeros(2, T, dtype=torch.bool)
    reset[0, 2] = reset[1, 0] = True
    y, _ = layer(x, reset=reset, lengths=[5, 3])
    assert_close(y[:2, 0], layer(x[:2, 0])[0], terms=3 * T * (IN + H))
    assert_close(y[2:5, 0], layer(x[2:5, 0])[0], terms=3 * T * (IN + H))
    assert_close(y[:3, 1], layer(x[:3, 1])[0], terms=3 * T * (IN + H))


# --- dropout -------------------------------------------------------------------------------------


def test_full_lengths_drop_what_torch_drops():
    ours, theirs = pair("GRU", num_layers=3, dropout=0.5, batch_first=True)
    x = torch.randn(B, T, IN)
    torch.manual_seed(7)
    y, _ = ours(x, lengths=[T] * B)
    torch.manual_seed(7)
    expected, _ = theirs(x)
    assert_close(y, expected, terms=3 * T * (IN + H))


# --- which engine --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_explain_says_which_engine_runs(name):
    layer, _ = pair(name)
    x = torch.randn(T, B, IN)
    many = torch.randn(T, 9, IN)  # of an LSTM few rows are native
    with torch.no_grad():
        assert engine.explain(layer, many).chosen == ("torch" if name == "LSTM" else "native")
    assert engine.explain(layer, x, lengths=[1, 2, 3]).chosen == "native"
    assert engine.explain(layer, x[:1]).chosen == "torch"
    half = layer.to(torch.bfloat16)
    assert engine.explain(half, x.to(torch.bfloat16)).chosen == "torch"
    reset = torch.zeros(B, T, dtype=torch.bool)
    assert engine.explain(half, x.to(torch.bfloat16), reset=reset).chosen == "reference"


def test_the_torch_engine_cannot_be_forced_to_reset():
    layer, _ = pair("GRU")
    with engine.use("torch"), pytest.raises(engine.EngineUnavailable, match="reset"):
        layer(torch.randn(T, B, IN), reset=torch.zeros(B, T, dtype=torch.bool))


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.errors
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m(torch.randn(T, B, IN + 1)), r"input must be \(time, batch, input_size=4\)"),
        (lambda m: m(torch.randn(1, T, B, IN)), r"input must be \(time, batch, input_size=4\)"),
        (lambda m: m(torch.randn(T, IN + 1)), r"input must be \(time, input_size=4\)"),
        (lambda m: m(torch.randn(T, B, IN), torch.zeros(2, B, H)), r"hx: h must be .* \(1, 3, 5\)"),
        (lambda m: m(torch.randn(T, IN), torch.zeros(1, 1, H)), r"hx: h must be .* \(1, 5\)"),
        (lambda m: m(torch.randn(T, B, IN), lengths=[1, 2]), r"lengths must be \(3,\)"),
        (lambda m: m(torch.randn(T, B, IN), lengths=[1, 2, 8]), r"lengths\[2\] is 8"),
        (lambda m: m(torch.randn(T, B, IN), reset=torch.zeros(T, B).bool()), "reset must be"),
        (
            lambda m: m(pack_padded_sequence(torch.randn(T, B, IN), [7, 4, 2]), lengths=[7, 4, 2]),
            "lengths: goes with a tensor",
        ),
        (
            lambda m: m(
                pack_padded_sequence(torch.randn(T, B, IN), [7, 4, 2]),
                reset=torch.zeros(B, T).bool(),
            ),
            "reset: goes with a tensor",
        ),
    ],
)
def test_an_error_names_the_argument_and_the_rule(call, message):
    with pytest.raises(ValueError, match=message):
        call(elman.nn.GRU(IN, H))


@pytest.mark.errors
def test_kinds_that_do_not_fit_are_refused():
    with pytest.raises(TypeError, match=r"input is torch.float64 .*input\.to\(torch\.float32\)"):
        elman.nn.GRU(IN, H)(torch.randn(T, B, IN).double())
    with pytest.raises(TypeError, match=r"pair \(h, c\)"):
        elman.nn.LSTM(IN, H)(torch.randn(T, B, IN), torch.zeros(1, B, H))


# --- the comparison itself sees mistakes ---------------------------------------------------------


@pytest.mark.parametrize("name", ["weight_ih_l0", "bias_hh_l0"])
def test_a_layer_with_two_gates_swapped_is_seen(name, monkeypatch):
    c = next(c for c in configurations(99) if c.layer == "GRU" and c.bias and c.form == "lengths")
    weights = elman.nn.GRU._weights

    def swapped(self, suffix):
        found = weights(self, suffix)
        r, z, n = getattr(found, name.removesuffix("_l0")).chunk(3)
        return type(found)(**{**vars(found), name.removesuffix("_l0"): torch.cat([z, r, n])})

    monkeypatch.setattr(elman.nn.GRU, "_weights", swapped)
    assert _worst(c) > 1


@pytest.mark.parametrize("form", ["padded", "packed"])
def test_masks_drawn_in_another_order_are_seen(form, monkeypatch):
    from elman.nn import dropin_layout

    cases = (c for c in configurations(2000) if c.training and c.dropout == 0.3)
    c = next(
        c
        for c in cases
        if c.form == form and c.batch > 1 and c.steps > 1 and c.engine == "reference"
    )
    assert _worst(c) <= 1
    plain = torch.nn.functional.dropout
    kind = dropin_layout.Padded if form == "padded" else dropin_layout.Packed
    monkeypatch.setattr(kind, "dropout", lambda self, y, p: plain(y.contiguous(), p))
    assert _worst(c) > 1


def _worst(c: Configuration) -> float:
    return max(measure(k.actual, k.expected, terms=c.terms, what=k.what).ratio for k in compare(c))


def test_unpacking_what_came_packed_gives_the_padded_rows():
    layer, twin = pair("LSTM", batch_first=True)
    packed = pack_padded_sequence(torch.randn(B, T, IN), [2, 7, 4], True, enforce_sorted=False)
    y, _ = pad_packed_sequence(layer(packed)[0], True)
    expected, _ = pad_packed_sequence(twin(packed)[0], True)
    assert_close(y, expected, terms=T * (IN + H))
