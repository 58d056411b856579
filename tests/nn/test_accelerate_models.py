"""Two well-known models of torch's own layers learn the same with and without `accelerate`."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, ctc_loss

import elman
from elman import engine
from elman.testing import assert_close

STEPS = 6
TERMS = 10_000  # steps of learning times steps in time times units


class WordLanguageModel(nn.Module):
    """Zaremba et al. 2014, with the output tied to the embedding (Press and Wolf 2017)."""

    def __init__(self, words, units, layers, dropout):
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.encoder = nn.Embedding(words, units)
        self.rnn = nn.LSTM(units, units, layers, dropout=dropout)
        self.decoder = nn.Linear(units, words)
        self.decoder.weight = self.encoder.weight
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, tokens, state):
        y, state = self.rnn(self.drop(self.encoder(tokens)), state)
        return self.decoder(self.drop(y)), state


class CRNN(nn.Module):
    """Shi et al. 2015, made small: columns of a picture are steps, letters come out by CTC."""

    def __init__(self, height, channels, units, letters):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(1, channels, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(channels, 2 * channels, 3, padding=1),
            nn.BatchNorm2d(2 * channels),
            nn.ReLU(),
            nn.MaxPool2d((2, 1)),
        )
        width = 2 * channels * (height // 4)
        self.first = nn.LSTM(width, units, bidirectional=True, batch_first=True)
        self.between = nn.Linear(2 * units, units)
        self.second = nn.LSTM(units, units, bidirectional=True, batch_first=True)
        self.out = nn.Linear(2 * units, 1 + letters)

    def forward(self, pictures):
        steps = self.conv(pictures).flatten(1, 2).transpose(1, 2)  # (B, T, features)
        return self.out(self.second(self.between(self.first(steps)[0]))[0])


def learn_words(model):
    """Truncated backpropagation, the state carried on; losses and the last weights."""
    words, batch, steps = model.decoder.out_features, 4, 9
    text = torch.randint(words, (STEPS * steps + 1, batch), generator=torch.Generator())
    optimiser = torch.optim.SGD(model.parameters(), 1.0)
    torch.manual_seed(3)
    losses, state = [], None
    for k in range(0, STEPS * steps, steps):
        scores, state = model(text[k : k + steps], state)
        state = tuple(s.detach() for s in state)
        loss = cross_entropy(scores.flatten(0, 1), text[k + 1 : k + 1 + steps].flatten())
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        optimiser.step()
        losses.append(loss.detach())
    return torch.stack(losses), [p.detach() for p in model.parameters()]


def learn_pictures(model):
    """CTC on pictures of noise; losses and the last weights."""
    numbers = torch.Generator()
    pictures = torch.randn(4, 1, 8, 24, generator=numbers)
    letters = torch.randint(1, model.out.out_features, (4, 3), generator=numbers)
    optimiser = torch.optim.SGD(model.parameters(), 0.02)
    torch.manual_seed(3)
    losses = []
    for _ in range(STEPS):
        scores = model(pictures).transpose(0, 1).log_softmax(-1)
        loss = ctc_loss(scores, letters, [12] * 4, [3] * 4)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.detach())
    return torch.stack(losses), [p.detach() for p in model.parameters()]


def build(kind, dropout=0.3):
    torch.manual_seed(1)
    if kind is CRNN:
        return CRNN(height=8, channels=3, units=8, letters=5)
    return WordLanguageModel(words=30, units=16, layers=2, dropout=dropout)


MODELS = [(WordLanguageModel, learn_words, 1), (CRNN, learn_pictures, 2)]


def assert_learns_the_same(plain, model, learn, forced):
    losses, weights = learn(plain)
    with engine.use(forced):
        found, learnt = learn(model)
    assert len(set(losses.tolist())) == STEPS
    assert_close(found, losses, terms=TERMS, what="losses")
    for a, b in zip(learnt, weights, strict=True):
        assert_close(a, b, terms=TERMS, what="weights")


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("kind", "learn", "layers"), MODELS)
def test_it_learns_the_same(kind, learn, layers):
    model = build(kind)
    report = elman.accelerate(model)
    assert len(report.swapped) == len(report.found) == layers
    assert_learns_the_same(build(kind), model, learn, forced=None)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("kind", "learn", "layers"), MODELS)
def test_it_learns_the_same_where_sums_have_another_order(kind, learn, layers):
    """The reference engine, which no module of torch's runs: this is not torch beside torch.

    Without dropout: a mask after the layer is drawn in the order of memory, which is the engine's.
    """
    model = build(kind, dropout=0.0)
    elman.accelerate(model)
    assert_learns_the_same(build(kind, dropout=0.0), model, learn, forced="reference")


@pytest.mark.parametrize(("kind", "learn", "layers"), MODELS)
def test_it_learns_the_same_in_float32(kind, learn, layers):
    model = build(kind)
    elman.accelerate(model)
    losses, _ = learn(build(kind))
    found, _ = learn(model)
    assert_close(found, losses, terms=TERMS, what="losses")


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("kind", "learn", "layers"), MODELS)
def test_the_comparison_sees_a_wrong_forward(kind, learn, layers, monkeypatch):
    model = build(kind)
    elman.accelerate(model)
    losses, _ = learn(copy.deepcopy(model))
    forward = elman.nn.LSTM.forward
    monkeypatch.setattr(elman.nn.LSTM, "forward", lambda m, x, hx=None: forward(m, x * 1.0001, hx))
    found, _ = learn(model)
    with pytest.raises(AssertionError, match="losses"):
        assert_close(found, losses, terms=TERMS, what="losses")


def test_the_tied_weights_stay_tied():
    model = build(WordLanguageModel)
    elman.accelerate(model)
    assert model.decoder.weight is model.encoder.weight
