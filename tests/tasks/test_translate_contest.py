"""Translators to be compared: the convolution, views of the source, scores, and a comparison."""

import numpy as np
import pytest
import torch
from torch import nn

from elman.cells import GRU
from elman.compare import compare
from elman.tasks.comparing import CONVOLUTION, FEEDFORWARD, View, contest_of
from elman.tasks.translate import Translator
from elman.tasks.translating.pairs import Pairs, Parallel
from elman.tasks.translating.rivals import ConvolutionNetwork, Seen

pytest.importorskip("tokenizers")
pytest.importorskip("sacrebleu")

WORDS = {"der": "the", "hund": "dog", "mann": "man", "sieht": "sees", "rote": "red", "ja": "yes"}
SMALL = {"hidden": 8, "embedding": 8, "vocabulary": 290, "steps": 3, "batch_size": 16}


def sides(count=150):
    draw = np.random.Generator(np.random.Philox(1))
    rows = [draw.choice(list(WORDS), draw.integers(2, 6)).tolist() for _ in range(count)]
    return [" ".join(row) for row in rows], [" ".join(WORDS[w] for w in row[::-1]) for row in rows]


@pytest.fixture(scope="module")
def contest():
    return contest_of("translate")(sides(), **SMALL)


def convolution(seed=0):
    torch.manual_seed(seed)
    return ConvolutionNetwork(20, 6, 5, steps=4).double().eval()


def test_a_convolution_step_by_step_is_the_whole_target():
    model, source = convolution(), torch.randint(1, 20, (3, 7))
    lengths, before = torch.tensor([7, 3, 1]), torch.randint(1, 20, (3, 40))
    whole = model(source, lengths, before).log_softmax(-1)
    state, memory = model.encode(source, lengths)
    for t in range(before.shape[1]):
        found, state = model.step(before[:, t], state, memory)
        torch.testing.assert_close(found, whole[:, t], rtol=0, atol=1e-10)


@pytest.mark.parametrize("filling", [0, 13])
def test_padding_has_no_influence_on_a_convolution(filling):
    model, source = convolution(), torch.randint(1, 20, (2, 9))
    before = torch.randint(1, 20, (2, 5))
    source[1, 4:] = filling
    together = model(source, torch.tensor([9, 4]), before)
    alone = model(source[1:, :4], torch.tensor([4]), before[1:])
    torch.testing.assert_close(together[1:], alone, rtol=0, atol=1e-12)


def test_a_place_of_the_source_sees_both_sides_and_the_target_what_is_before():
    model, source = convolution(), torch.randint(1, 20, (1, 6))
    lengths, before = torch.tensor([6]), torch.randint(1, 20, (1, 5))
    values = model.encode(source, lengths)[1].values
    for changed in (0, 5):
        other = source.clone()
        other[0, changed] = source[0, changed] % 19 + 1
        moved = (model.encode(other, lengths)[1].values - values).abs().amax(-1)[0]
        assert moved[2] > 0
    later = before.clone()
    later[0, 3] = before[0, 3] % 19 + 1
    apart = (model(source, lengths, later) - model(source, lengths, before)).abs().amax(-1)[0]
    assert apart[:3].max() == 0
    assert apart[3:].min() > 0


SOURCE = torch.tensor([[1, 2, 3, 4, 5, 6, 0], [7, 8, 0, 9, 9, 9, 9], [0, 9, 9, 9, 9, 9, 9]])
LENGTHS = torch.tensor([7, 3, 1])


def test_a_view_shows_the_end_of_each_source():
    shown, lengths = Seen(nn.Identity(), View(4)).shown(SOURCE, LENGTHS)
    assert lengths.tolist() == [5, 3, 1]
    rows = [row[:n].tolist() for row, n in zip(shown, lengths.tolist(), strict=True)]
    assert rows == [[3, 4, 5, 6, 0], [7, 8, 0], [0]]


@pytest.mark.parametrize("training", [True, False])
def test_only_the_oldest_are_shuffled_and_the_end_stays_last(training):
    seen = Seen(nn.Identity(), View(6, 0.5)).train(training)
    orders = set()
    for _ in range(20):
        shown, lengths = seen.shown(SOURCE, LENGTHS)
        assert lengths.tolist() == [7, 3, 1]
        assert shown[0, 3:].tolist() == [4, 5, 6, 0]
        assert sorted(shown[0, :3].tolist()) == [1, 2, 3]
        assert shown[1, :3].tolist() == [7, 8, 0], "one of two is no order"
        orders.add(tuple(shown[0, :3].tolist()))
    assert (len(orders) > 1) == training, "drawn anew in training alone"


def test_every_network_has_a_loss_and_a_score(contest):
    torch.manual_seed(0)
    for kind in (GRU, FEEDFORWARD, CONVOLUTION):
        for view in (View(), View(2), View(contest.steps, 1.0)):
            model = contest.network(kind, 6, 0.0, view)
            loss, _ = contest.loss(model, contest.batch())
            loss.backward()
            assert np.isfinite(loss.item())
            assert all(p.grad is not None for p in model.parameters())
        assert 0 <= contest.score(model, "test") <= 100
    with pytest.raises(ValueError, match="kind must be a cell"):
        contest.network("transformer", 6, 0.0)
    with pytest.raises(ValueError, match="view must be WHOLE"):
        contest.score(model, "test", View(2))


def test_the_score_is_that_of_the_estimator(contest):
    torch.manual_seed(0)
    model = contest.network(GRU, *contest.sizes)
    contest.fit(model, contest.budget)
    own = Translator(**SMALL, beam=1, no_feedforward=True).fit(*sides()).evaluate()
    assert contest.score(model, "validation") == pytest.approx(100 - own.validation["GRU"].bleu)
    found = contest.baselines("test")
    assert found["dictionary"] == pytest.approx(100 - own.test["dictionary"].bleu)
    assert set(found) == {"dictionary", "memory", "copy"}


def test_tables_files_and_lists_are_the_same_pairs(contest, tmp_path):
    source, target = sides()
    table = tmp_path / "pairs.tsv"
    table.write_text("".join(f"{a}\t{b}\n" for a, b in zip(source, target, strict=True)))
    for name, side in (("a.de", source), ("a.en", target)):
        (tmp_path / name).write_text("".join(f"{line}\n" for line in side))
    kind = contest_of("translate")
    for data in (table, f"{tmp_path / 'a.de'},{tmp_path / 'a.en'}", contest.pairs):
        assert kind(data, **SMALL).pairs.sha256 == contest.pairs.sha256
    few = Parallel(Pairs(("a",), ("b",)), Pairs(("a",), ("b",)), Pairs((), ()))
    with pytest.raises(ValueError, match="data must have a test"):
        kind(few)
    with pytest.raises(ValueError, match="a comparison does not take"):
        kind(table, beam=3)


def test_translators_are_compared():
    quick = SMALL | {"seeds": 2, "curve_seeds": 1, "evaluate_every": 3}
    found = compare("translate", sides(100), ["gru", "LSTM"], **quick)
    names = [one.name for one in found.contestants]
    assert names == ["GRU", "LSTM", "feedforward", "causal convolution"]
    sizes = [one.parameters for one in found.contestants]
    assert max(sizes) < 1.1 * min(sizes)
    assert found.metric == "missing BLEU"
    for one in found.contestants:
        assert max(one.lengths) == found.steps
        assert set(one.orders) == {0.0, 0.5, 1.0}
    assert "causal convolution" in found.text()
