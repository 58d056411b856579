"""Writing text: what a seed decides, where it stops, and how it is shown."""

import numpy as np
import pytest
import torch

from elman import cells
from elman.data.vocabulary import BOUNDARY, byte_vocabulary, character_vocabulary
from elman.tasks.texts.network import LanguageNetwork
from elman.tasks.texts.writing import write
from elman_runtime.sample import GREEDY, Sampling

KNOWN = character_vocabulary("abcdefgh \n")


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(1)
    made = LanguageNetwork(cells.LSTM, KNOWN.size, 8, 16)
    with torch.no_grad():
        made.words.bias[BOUNDARY] = -50.0
    return made


class Parrot:
    """Stands where a network does: says given tokens, whatever it is told."""

    def __init__(self, vocabulary, tokens):
        self.size, self.tokens = vocabulary.size, tokens
        self.words = torch.nn.Linear(1, 1)

    def eval(self):
        return self

    def _logits(self, at):
        logits = torch.full((1, self.size), -1e9)
        logits[0, self.tokens[min(at, len(self.tokens) - 1)]] = 0.0
        return logits

    def __call__(self, x, state):
        return self._logits(0)[:, None].expand(1, x.shape[1], self.size), (torch.zeros(1, 1),)

    def step(self, x, state):
        at = int(state[0]) + 1
        return self._logits(at), (torch.full((1, 1), float(at)),)


def said(vocabulary, tokens, length=50, stop=()):
    parrot = Parrot(vocabulary, tokens)
    return [text for _, text in write(parrot, vocabulary, [""], length, GREEDY, stop=stop)]


def test_the_same_seed_writes_the_same_and_another_something_else(network):
    def text(**given):
        return "".join(t for _, t in write(network, KNOWN, ["ab"], 60, Sampling(), **given))

    assert text(seed=4) == text(seed=4) != text(seed=5)
    assert len(text()) == 60


def test_a_text_does_not_depend_on_those_beside_it(network):
    prompts = ["abc", "", "h" * 700]
    found = ["", "", ""]
    for k, text in write(network, KNOWN, prompts, 40, Sampling(), seed=2):
        found[k] += text
    alone = "".join(t for _, t in write(network, KNOWN, prompts[:1], 40, Sampling(), seed=2))
    assert found[0] == alone
    assert len(set(found)) == 3


def test_the_unknown_character_is_never_written(network):
    with torch.no_grad():
        network.words.bias[1] = 50.0
    try:
        text = "".join(t for _, t in write(network, KNOWN, [""], 50, Sampling()))
    finally:
        with torch.no_grad():
            network.words.bias[1] = 0.0
    assert "\ufffd" not in text


def test_text_comes_as_soon_as_it_is_certain():
    tokens = KNOWN.encode("abcdef").tolist()
    assert said(KNOWN, tokens, 6) == list("abcdef")
    assert said(KNOWN, tokens, 0) == []


def test_a_stop_word_is_held_back_until_it_is_none():
    tokens = KNOWN.encode("abcabd").tolist()
    assert said(KNOWN, tokens, 6, stop=["abd"]) == ["abc"]
    assert said(KNOWN, tokens, 6, stop=["abe"]) == ["abc", "abd"]
    assert "".join(said(KNOWN, tokens, 6, stop=["ab"])) == ""
    assert "".join(said(KNOWN, tokens, 6, stop=["ca", "bc"])) == "a"
    # The length ends it within what might have become a stop word.
    assert "".join(said(KNOWN, tokens, 5, stop=["abd"])) == "abcab"


def test_the_end_of_a_document_ends_the_text():
    tokens = [*KNOWN.encode("ab").tolist(), BOUNDARY, *KNOWN.encode("cd").tolist()]
    assert "".join(said(KNOWN, tokens)) == "ab"
    assert "".join(said(KNOWN, tokens, stop=["bx"])) == "ab"


def test_half_characters_wait():
    known = byte_vocabulary()
    tokens = known.encode("é🙂").tolist()
    assert said(known, tokens, len(tokens)) == ["é", "🙂"]
    assert said(known, tokens, len(tokens) - 1) == ["é", "\ufffd"]


def test_memory_does_not_grow_with_the_length(network):
    import tracemalloc

    tracemalloc.start()
    for k, _ in enumerate(write(network, KNOWN, ["a"], 1200, Sampling())):
        if k == 200:
            before = tracemalloc.get_traced_memory()[0]
        if k == 1190:
            after = tracemalloc.get_traced_memory()[0]
            break
    tracemalloc.stop()
    assert after - before < 20_000


def test_greedy_takes_the_likeliest(network):
    text = "".join(t for _, t in write(network, KNOWN, ["a"], 5, GREEDY))
    tokens = torch.tensor([[BOUNDARY, *KNOWN.encode("a").tolist()]])
    with torch.no_grad():
        logits = network(tokens)[0][0, -1].numpy().copy()
    logits[1] = -np.inf
    assert text[0] == KNOWN.decode([int(logits.argmax())])
