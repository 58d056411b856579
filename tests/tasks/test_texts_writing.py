"""Writing text: what a seed decides, where it stops, and how it is shown."""

import numpy as np
import pytest
import torch

from elman import cells
from elman.data.vocabulary import BOUNDARY, byte_vocabulary, character_vocabulary
from elman.tasks.texts.network import LanguageNetwork
from elman.tasks.texts.writing import TorchRunner, runner_of
from elman_runtime.sample import GREEDY, Sampling
from elman_runtime.writing import read_prompts, write

KNOWN = character_vocabulary("abcdefgh \n")


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(1)
    made = LanguageNetwork(cells.LSTM, KNOWN.size, 8, 16)
    with torch.no_grad():
        made.words.bias[BOUNDARY] = -50.0
    return made


class Parrot:
    """Stands where a program does: says given tokens, whatever it is told."""

    dtype, state_size = np.dtype("float32"), 1

    def __init__(self, vocabulary, tokens):
        self.size, self.tokens = vocabulary.size, tokens

    def start(self):
        return np.full(1, -1, np.float32)

    def run(self, state, inputs, outputs, rows=None):
        outputs[0][:] = -1e9
        for k, row in enumerate(range(len(state)) if rows is None else rows):
            state[row] += 1
            outputs[0][k, :, self.tokens[min(int(state[row, 0]), len(self.tokens) - 1)]] = 0.0


def said(vocabulary, tokens, length=50, stop=()):
    parrot = Parrot(vocabulary, tokens)
    return [text for _, text in write(parrot, vocabulary, [""], length, GREEDY, stop=stop)]


def written(network, prompts, length, how, seed=0):
    return write(runner_of(network), KNOWN, prompts, length, how, seed=seed)


def test_the_same_seed_writes_the_same_and_another_something_else(network):
    def text(**given):
        return "".join(t for _, t in written(network, ["ab"], 60, Sampling(), **given))

    assert text(seed=4) == text(seed=4) != text(seed=5)
    assert len(text()) == 60


def test_a_text_does_not_depend_on_those_beside_it(network):
    prompts = ["abc", "", "h" * 700]
    found = ["", "", ""]
    for k, text in written(network, prompts, 40, Sampling(), seed=2):
        found[k] += text
    alone = "".join(t for _, t in written(network, prompts[:1], 40, Sampling(), seed=2))
    assert found[0] == alone
    assert len(set(found)) == 3


def test_the_unknown_character_is_never_written(network):
    with torch.no_grad():
        network.words.bias[1] = 50.0
    try:
        text = "".join(t for _, t in written(network, [""], 50, Sampling()))
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
    for k, _ in enumerate(written(network, ["a"], 1200, Sampling())):
        if k == 200:
            before = tracemalloc.get_traced_memory()[0]
        if k == 1190:
            after = tracemalloc.get_traced_memory()[0]
            break
    tracemalloc.stop()
    assert after - before < 20_000


def test_greedy_takes_the_likeliest(network):
    text = "".join(t for _, t in written(network, ["a"], 5, GREEDY))
    tokens = torch.tensor([[BOUNDARY, *KNOWN.encode("a").tolist()]])
    with torch.no_grad():
        logits = network(tokens)[0][0, -1].numpy().copy()
    logits[1] = -np.inf
    assert text[0] == KNOWN.decode([int(logits.argmax())])


def test_the_program_says_what_the_network_says(network):
    prompts = ["abc", "", "hhab\n"]
    logits, _ = read_prompts(runner_of(network), KNOWN, prompts)
    for k, prompt in enumerate(prompts):
        tokens = torch.tensor([[BOUNDARY, *KNOWN.encode(prompt).tolist()]])
        with torch.no_grad():
            expected = network(tokens)[0][0, -1].numpy()
        np.testing.assert_allclose(logits[k], expected, atol=1e-5)


def test_a_cell_without_a_tape_writes_with_torch():
    class Untraceable(cells.Cell):
        gates = ("n",)

        def update(x, u, s, p):
            return torch.tanh(x.n + u.n)

    torch.manual_seed(1)
    made = LanguageNetwork(Untraceable, KNOWN.size, 8, 16, 2)
    runner = runner_of(made)
    assert isinstance(runner, TorchRunner)
    together = [t for _, t in write(runner, KNOWN, ["ab", "c"], 20, Sampling()) if _ == 1]
    torch.manual_seed(1)
    plain = LanguageNetwork(cells.RNN, KNOWN.size, 8, 16, 2)
    expected = [t for _, t in written(plain, ["ab", "c"], 20, Sampling()) if _ == 1]
    assert together == expected
