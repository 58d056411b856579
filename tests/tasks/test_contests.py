"""What tasks offer to be compared on: views, rivals and scores."""

import numpy as np
import pytest
import torch
from torch import nn

from elman.cells import GRU
from elman.tasks.comparing import CONVOLUTION, FEEDFORWARD, View, contest_of
from elman.tasks.forecast import Forecaster
from elman.tasks.forecasting.rivals import Seen
from elman.tasks.texts.network import Window
from elman.tasks.texts.rivals import ConvolutionText

TABLE = {"ds": list(range(300)), "y": [float((k % 12 - 6) ** 2 + k % 5) for k in range(300)]}
POEM = "the rose is red, the violet's blue, the honey's sweet, and so are you. " * 40
SEGMENTS = torch.arange(3.0)[:, None] * 100 + torch.arange(8).repeat_interleave(2)


@pytest.fixture(scope="module")
def forecast():
    return contest_of("forecast")(TABLE, h=6, season=12, hidden=6, steps=5)


@pytest.fixture(scope="module")
def language():
    return contest_of("language")(POEM, hidden=8, steps=5, length=16, batch_size=4)


@pytest.mark.parametrize("training", [True, False])
def test_only_the_oldest_steps_are_shuffled_and_segments_stay_whole(training):
    seen = Seen(nn.Identity(), 16, 4, 2, View(8, 0.5)).train(training)
    shown = seen(SEGMENTS)
    assert torch.equal(shown[:, 8:], SEGMENTS[:, 8:])
    moved = shown[:, :8].reshape(3, 4, 2)
    assert torch.equal(moved[..., 0], moved[..., 1]), "a segment is a step, and stays one"
    assert torch.equal(moved.sort(1).values, SEGMENTS[:, :8].reshape(3, 4, 2))
    assert not torch.equal(shown, SEGMENTS)
    assert torch.equal(seen(SEGMENTS), shown) != training, "drawn anew in training alone"


def test_fewer_steps_are_the_last_ones():
    assert torch.equal(Seen(nn.Identity(), 6, 4, 2, View(3))(SEGMENTS), SEGMENTS[:, -6:])


@pytest.mark.parametrize("kind", [GRU, FEEDFORWARD, CONVOLUTION])
def test_networks_of_a_view_begin_at_one_linear_map_and_see_no_more_than_it_shows(forecast, kind):
    plain = [forecast.network(k, 6, 0.0) for k in (kind, FEEDFORWARD)]
    scores = [forecast.score(network, "test") for network in plain]
    assert scores[0] == pytest.approx(scores[1], rel=1e-5)
    assert scores[0] == pytest.approx(forecast.baselines("test")["linear map"], rel=1e-5)
    few = forecast.network(kind, 6, 0.0, View(2)).eval()
    x = torch.randn(4, forecast.shape.window)
    other = x.clone()
    other[:, : -2 * forecast.shape.segment] = 123.0
    assert torch.equal(few(x), few(other))


def test_a_map_for_shuffled_steps_is_better_than_the_one_for_steps_in_order(forecast):
    shuffled = View(forecast.steps, 1.0)
    network = forecast.network(FEEDFORWARD, 6, 0.0, shuffled)
    own = forecast.score(network, "validation")
    ordered = forecast.network(FEEDFORWARD, 6, 0.0)
    network.inner = ordered
    assert own <= forecast.score(network, "validation")


def test_the_score_is_that_of_the_estimator():
    settings = {"h": 6, "season": 12, "hidden": 6, "steps": 10, "level": ()}
    evaluation = Forecaster(**settings).fit(TABLE).evaluate()
    contest = contest_of("forecast")(TABLE, h=6, season=12, hidden=6, steps=10)
    torch.manual_seed(0)
    model = contest.network(GRU, *contest.sizes)
    contest.fit(model, contest.budget)
    assert contest.score(model, "test") == pytest.approx(evaluation.test["GRU"].mase, rel=1e-4)
    naive = contest.baselines("test")["repeat"]
    assert naive == pytest.approx(evaluation.test["repeat"].mase, rel=1e-9)


@pytest.mark.parametrize(
    "build",
    [lambda: ConvolutionText(20, 6, 5, steps=9), lambda: Window(20, 6, 5, width=9)],
    ids=["convolution", "window"],
)
def test_a_text_read_in_pieces_is_the_text_read_whole(build):
    model, x = build().eval(), torch.randint(2, 20, (3, 30))
    whole, _ = model(x)
    first, state = model(x[:, :11])
    second, _ = model(x[:, 11:], state)
    assert torch.allclose(torch.cat([first, second], 1), whole, atol=1e-6)
    other = x.clone()
    other[:, :15] = 3
    assert torch.allclose(model(other)[0][:, -1], whole[:, -1], atol=1e-6), "it sees 15 at most"


class Reader(nn.Module):
    """Puts all of its trust in the token `back` steps ago."""

    def __init__(self, tokens, back):
        super().__init__()
        self.tokens, self.back, self.unused = tokens, back, nn.Parameter(torch.zeros(1))
        self.lengths = set()

    def forward(self, x, state=None):
        self.lengths.add(x.shape[1])
        told = x.roll(self.back - 1, 1)
        return 30.0 * nn.functional.one_hot(told, self.tokens).float(), state


def test_a_view_of_a_text_shows_so_many_tokens_and_shuffles_the_oldest(language):
    # The poem repeats every 71 tokens, so what stands there 71 ago comes next.
    reader = Reader(language.corpus.vocabulary.size, 71)
    assert language.score(reader, "test", View(71)) == pytest.approx(0.0, abs=1e-3)
    assert reader.lengths == {71}
    assert language.score(reader, "test", View(71, 0.5)) > 1.0, "the oldest are no longer there"
    near = Reader(language.corpus.vocabulary.size, 1)
    plain, half = (language.score(near, "test", View(10, share)) for share in (0.0, 0.5))
    assert plain == half, "the newest keep their place"


def test_baselines_of_a_text_are_ordered(language):
    found = language.baselines("test")
    assert found["5-gram"] < found["unigram"] < found["uniform"]
    untrained = language.score(language.network(GRU, 8, 0.0), "test")
    assert found["5-gram"] < untrained < found["uniform"]


def test_losses_are_numbers_with_gradients(forecast, language):
    for contest in (forecast, language):
        for kind in (GRU, FEEDFORWARD, CONVOLUTION):
            model = contest.network(kind, 6, 0.0)
            loss, _ = contest.loss(model, contest.batch())
            loss.backward()
            assert np.isfinite(loss.item())
            assert any(p.grad is not None and p.grad.abs().max() > 0 for p in model.parameters())
        with pytest.raises(ValueError, match="kind must be a cell"):
            contest.network("transformer", 6, 0.0)


def test_what_is_not_offered_is_refused(forecast, language):
    with pytest.raises(ValueError, match="view must be WHOLE"):
        forecast.score(forecast.network(GRU, 6, 0.0), "test", View(2))
    with pytest.raises(ValueError, match="view must be WHOLE"):
        language.network(GRU, 6, 0.0, View(2))
