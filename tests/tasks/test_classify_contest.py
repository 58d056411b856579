"""What classification offers to be compared on."""

import numpy as np
import pytest
import torch

from elman import Classifier
from elman.cells import GRU
from elman.compare import compare
from elman.tasks.classifying.rivals import ConvolutionClassifier, viewed
from elman.tasks.comparing import CONVOLUTION, FEEDFORWARD, View, contest_of, contests

WORDS = (["dull", "poor"], ["fine", "fun"])
TEXTS = [f"the plot of film {k % 9} is truly {WORDS[k % 2][k % 3 % 2]}" for k in range(120)]
TABLE = {"text": TEXTS, "label": ["good" if k % 2 else "bad" for k in range(120)]}
SMALL = {"hidden": 6, "embedding": 5, "steps": 20, "batch_size": 8, "lr": 0.03}
ROWS = {
    "id": [k for k in range(40) for _ in range(6)],
    "x": [float((k % 2) * t % 3 + k / 9) for k in range(40) for t in range(6)],
    "kind": ["ab"[k % 2] for k in range(40) for _ in range(6)],
}
KINDS = [GRU, FEEDFORWARD, CONVOLUTION]


@pytest.fixture(scope="module")
def texts():
    return contest_of("classify")(TABLE, **SMALL)


@pytest.fixture(scope="module")
def numbers():
    return contest_of("classify")(ROWS, id="id", label="kind", metric="loss", **SMALL)


def test_it_is_found_by_name(texts):
    assert "classify" in contests()
    assert texts.steps == 8
    assert texts.metric == "error rate"
    assert texts.step == "one word"
    assert any("classes" in line for line in texts.understood)


@pytest.mark.parametrize("kind", KINDS)
def test_networks_begin_at_the_shares_of_the_classes_and_learn(kind, texts, numbers):
    for contest in (texts, numbers):
        model = contest.network(kind, 6, 0.0)
        assert torch.allclose(model.outer.bias.softmax(0), torch.tensor([0.5, 0.5]), atol=0.05)
        loss, carry = contest.loss(model, contest.batch())
        loss.backward()
        assert np.isfinite(loss.item())
        assert carry is None
        assert all(p.grad is not None for p in model.parameters())


def test_more_units_are_more_parameters(texts):
    for kind in KINDS:
        counts = [
            sum(p.numel() for p in texts.network(kind, h, 0.0).parameters()) for h in (1, 2, 9)
        ]
        assert counts == sorted(set(counts))


def test_the_score_is_that_of_the_estimator():
    evaluation = Classifier(**SMALL, no_feedforward=True).fit(TABLE).evaluate()
    contest = contest_of("classify")(TABLE, **SMALL)
    torch.manual_seed(0)
    model = contest.network(GRU, *contest.sizes)
    contest.fit(model, contest.budget)
    for which, scores in (("validation", evaluation.validation), ("test", evaluation.test)):
        assert contest.score(model, which) == pytest.approx(1 - scores["GRU"].accuracy)
        for name, found in contest.baselines(which).items():
            assert found == pytest.approx(1 - scores[name].accuracy)
    assert list(contest.baselines("test")) == ["majority", "bag of words"]


def test_baselines_of_numbers_in_nats(numbers):
    found = numbers.baselines("validation")
    assert found["majority"] == pytest.approx(np.log(2), rel=0.05)
    assert found["summary statistics"] < found["majority"]


def test_a_view_shows_the_end_of_each_example_and_shuffles_the_oldest_part_of_that():
    examples = [np.arange(12), np.arange(3), np.zeros(0, np.int64), np.arange(24).reshape(12, 2)]
    seen = viewed(examples, View(2), 8)
    assert seen[0].tolist() == [9, 10, 11]
    assert [len(one) for one in seen] == [3, 1, 0, 3]
    assert all(map(np.array_equal, viewed(examples, View(8), 8), examples))
    half = viewed(examples, View(8, 0.5), 8)
    assert half[0][6:].tolist() == list(range(6, 12))
    assert sorted(half[0][:6].tolist()) == list(range(6))
    assert half[0].tolist() != list(range(12))
    assert half[3].shape == (12, 2)
    assert (half[3][:, 1] - half[3][:, 0] == 1).all(), "a step is a row, and stays one"


def test_a_view_changes_what_is_scored(texts):
    class Counting(torch.nn.Module):
        def forward(self, x, lengths):
            seen.extend(lengths.tolist())
            return torch.zeros(len(x), 2)

    seen = []
    texts.score(Counting(), "test", View(1))
    assert set(seen) == {1}


@torch.no_grad()
def test_the_convolution_is_blind_to_padding(texts):
    found = texts.network(CONVOLUTION, 6, 0.0).eval()
    assert isinstance(found, ConvolutionClassifier)
    x, lengths = torch.randint(2, 9, (2, 9)), torch.tensor([9, 4])
    other = x.clone()
    other[1, 4:] = 5
    torch.testing.assert_close(found(x, lengths)[1], found(other, lengths)[1])
    torch.testing.assert_close(found(x, lengths)[1:], found(x[1:, :4], lengths[1:]))


def test_what_is_not_offered_is_refused(texts):
    with pytest.raises(ValueError, match="kind must be a cell"):
        texts.network("transformer", 6, 0.0)
    with pytest.raises(ValueError, match="view must be WHOLE"):
        texts.network(GRU, 6, 0.0, View(2))
    with pytest.raises(
        ValueError,
        match="does not take no_feedforward, network_only, vectors, pretrained; got vectors",
    ):
        contest_of("classify")(TABLE, vectors="glove.txt")
    with pytest.raises(ValueError, match="test_share must be above 0"):
        contest_of("classify")(TABLE, test_share=0.0)


def test_a_whole_comparison():
    found = compare("classify", TABLE, ["GRU"], seeds=1, curve_seeds=1, **SMALL)
    assert [one.name for one in found.contestants] == ["GRU", FEEDFORWARD, CONVOLUTION]
    sizes = [one.parameters for one in found.contestants]
    assert max(sizes) < 1.2 * min(sizes)
    assert sorted(found.contestants[0].lengths) == [1, 2, 4, 8]
    assert found.verdict()
