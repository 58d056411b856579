"""Tokens a second of a language model: training and writing, beside the same of torch.nn layers.

    python bench/text_speed.py [--append]

Training: one step of a batch (32 rows of 64 tokens) with every gradient; the peer is Embedding,
nn.LSTM or nn.GRU, Linear, with the same weights. Writing: a token at a time, one text, from logits
to the next token as both draw it; the peer steps the same layers with T = 1 under no_grad. Logits
and gradients are compared before anything is timed.
"""

from typing import Any

import contest
import numpy as np
import torch
from contest import Contestant, torch_pass
from timing import header
from torch import Tensor, nn

from elman.cells import by_name
from elman.tasks.texts.network import LanguageNetwork
from elman.tasks.texts.writing import runner_of
from elman_runtime.sample import Sampling, choose

TOKENS, EMBEDDING, ROWS, STEPS, WRITTEN = 66, 64, 32, 64, 64


class Peer(nn.Module):
    """The same model of torch's layers, with the weights of ours."""

    def __init__(self, own: LanguageNetwork, kind: str, hidden: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(TOKENS, EMBEDDING)
        self.recurrent = getattr(nn, kind)(EMBEDDING, hidden, batch_first=True)
        self.head = nn.Linear(hidden, TOKENS)
        with torch.no_grad():
            self.embed.weight.copy_(own.words.weight)
            assert own.words.output is not None
            self.head.weight.copy_(own.words.output)
            self.head.bias.copy_(own.words.bias)
            self.recurrent.load_state_dict(own.recurrent.state_dict())

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Logits (B, T, V), and the state."""
        y, state = self.recurrent(self.embed(x), state)
        return self.head(y), state


def pair(kind: str, hidden: int) -> tuple[LanguageNetwork, Peer]:
    """Both models."""
    torch.manual_seed(0)
    own = LanguageNetwork(by_name(kind), TOKENS, EMBEDDING, hidden).eval()
    return own, Peer(own, kind, hidden).eval()


def training(kind: str, hidden: int) -> dict[str, Any]:
    """Makers of a training pass of both."""
    own, peer = pair(kind, hidden)
    x = torch.randint(1, TOKENS, (ROWS, STEPS))
    up = [torch.randn(ROWS, STEPS, TOKENS)]
    words = own.words
    order = [words.weight, words.output, words.bias, *own.recurrent.parameters()]
    theirs = [peer.embed.weight, peer.head.weight, peer.head.bias, *peer.recurrent.parameters()]
    return {
        "elman": lambda: Contestant(torch_pass(lambda: [own(x)[0]], order, up)),
        "torch": lambda: Contestant(torch_pass(lambda: [peer(x)[0]], theirs, up)),
    }


def writing(kind: str, hidden: int) -> dict[str, Any]:
    """Makers of a written text of both: tokens, so that equal means equal."""
    own, peer = pair(kind, hidden)
    how, runner = Sampling(0.8), runner_of(own)

    def ours() -> list[Any]:
        state = runner.start()[None]
        logits, tokens = np.empty((1, 1, TOKENS), runner.dtype), np.zeros((1, 1), np.int64)
        found = []
        for k in range(WRITTEN):
            runner.run(state, [tokens], [logits])
            tokens[0, 0] = choose(logits[0, 0], how, position=k)
            found.append(int(tokens[0, 0]))
        return [np.asarray(found, np.float64)]

    @torch.no_grad()
    def theirs() -> list[Any]:
        state, token, found = None, torch.zeros(1, 1, dtype=torch.long), []
        for k in range(WRITTEN):
            logits, state = peer(token, state)
            token = torch.tensor([[choose(logits[0, 0].numpy(), how, position=k)]])
            found.append(int(token))
        return [np.asarray(found, np.float64)]

    return {"elman": lambda: Contestant(ours), "torch": lambda: Contestant(theirs)}


def main() -> None:
    """Print the table."""
    given = contest.parser(__doc__ or "", "text_speed").parse_args()
    said = contest.limit(given.threads)
    print(f"{header()}\n{said}", flush=True)
    with contest.forced(given.engine):
        for what, makers, tokens in (
            ("training", training, ROWS * STEPS),
            ("writing", writing, WRITTEN),
        ):
            for kind in ("LSTM", "GRU"):
                for hidden in (256, 512):
                    row(given, what, makers(kind, hidden), tokens, kind, hidden)


def row(given: Any, what: str, makers: dict[str, Any], tokens: int, kind: str, hidden: int) -> None:
    """Measure and print one line."""

    def run() -> dict[str, Any]:
        terms = hidden * ROWS * STEPS if what == "training" else 1
        labels = ["logits" if what == "training" else "tokens"]
        labels += [f"gradient {k}" for k in range(7 if what == "training" else 0)]
        found = contest.measure(
            makers, reference="torch", labels=labels, terms=terms, rounds=given.rounds
        )
        return found._asdict()

    key = {"what": what, "cell": kind, "hidden": hidden}
    seconds = contest.once("text_speed", key, run, given)["seconds"]
    each = "  ".join(
        f"{name} {tokens / one.median:9,.0f} tokens/s" for name, one in seconds.items()
    )
    print(
        f"{what:9}{kind:5}{hidden:4}  {each}  {contest.ratio(seconds, 'torch'):5.2f} x", flush=True
    )


if __name__ == "__main__":
    main()
