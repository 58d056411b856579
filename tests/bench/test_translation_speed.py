"""The benchmark of translators: all of its contestants are one model, and a broken one is seen."""

import pytest
import torch


@pytest.fixture
def speed(bench, monkeypatch):
    found = bench("translation_speed")
    monkeypatch.setattr(found, "TOKENS", 150)
    monkeypatch.setattr(found, "ROWS", 3)
    return found


def labels(speed, hidden):
    return ["logits", *(f"gradient {k}" for k in range(len(speed.weights(speed.pair(hidden)[0]))))]


def test_training_is_the_same_in_every_form(speed, bench):
    made = speed.training(12)
    found = bench("contest").measure(
        made, reference="torch", labels=labels(speed, 12), terms=12 * 60, rounds=1
    )
    assert set(found.seconds) == {"elman", "torch", "torch stepping"}
    assert max(found.check.values()) <= 1


@pytest.mark.parametrize("sentences", [1, 3])
def test_the_same_tokens_are_found(speed, bench, sentences):
    made = speed.searching(12, sentences)
    bench("contest").measure(made, reference="torch", labels=["tokens"], terms=1, rounds=1)
    (tokens,) = made["runtime"]().call()
    assert tokens.shape == (sentences, speed.WRITTEN)


def test_a_peer_that_attends_to_padding_is_not_timed(speed, bench):
    own, peer = speed.pair(12)
    x = speed.some_pairs()
    wrong = x._replace(lengths=torch.full_like(x.lengths, x.source.shape[1]))
    pair = {
        "elman": speed.Contestant(lambda: [own(x.source, x.lengths, x.before, x.counted).detach()]),
        "torch": speed.Contestant(lambda: [peer(wrong).detach()]),
    }
    with pytest.raises(AssertionError, match="elman: logits"):
        bench("contest").check(pair, "torch", ["logits"], 12 * 60)
