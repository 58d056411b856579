"""Speed of a translator: training and beam search, beside the same model of torch.nn layers.

    python bench/translation_speed.py [--append]

Training: one step of a batch of 64 pairs (targets of 8 to 20 tokens) with every gradient, in target
tokens a second. The peers have the same weights in Embedding, nn.GRU (the encoder's packed) and
Linear: `torch` gives each layer a whole target at once, as this model allows, `torch stepping`
walks through the target token by token, as decoders with attention are usually written.

Search: sentences a second with a beam of 5, sources of 10 tokens, 20 steps each: the weights are
random, so the end is made unlikely until then. The peer keeps no book of what has ended. `runtime`
is the file's program on NumPy, without torch. Logits, gradients and the tokens that are found are
compared before anything is timed.
"""

from typing import Any

import contest
import numpy as np
import torch
from contest import Contestant, torch_pass
from timing import header
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from elman.cells import GRU
from elman.nn import Builder
from elman.nn.search import beam_search
from elman.tasks.translating.batches import Batch, batch
from elman.tasks.translating.network import TranslationNetwork
from elman.tasks.translating.program import programs_of
from elman_runtime import Model
from elman_runtime.translate import ProgramSearch
from elman_runtime.translating import Searching

TOKENS, ROWS, BEAM, SOURCE, WRITTEN = 4000, 64, 5, 10, 20
BOUNDARY = 0
Memory = tuple[Tensor, Tensor, Tensor]
"""Values (B, S, H), keys (B, S, H), and where they are valid (B, S)."""


class Peer(nn.Module):
    """The same model of torch's layers, with the weights of ours."""

    def __init__(self, own: TranslationNetwork, hidden: int) -> None:
        super().__init__()
        self.embed, self.scale = nn.Embedding(TOKENS, hidden), own.scale
        self.encoder = nn.GRU(hidden, hidden, batch_first=True, bidirectional=True)
        self.lower = nn.GRU(hidden, hidden, batch_first=True)
        self.upper = nn.GRU(2 * hidden, hidden, batch_first=True)
        self.head = nn.Linear(hidden, TOKENS)
        with torch.no_grad():
            self.embed.weight.copy_(own.words.weight)
            self.head.bias.copy_(own.words.bias)
        self.head.weight = self.embed.weight
        for name in ("encoder", "lower", "upper"):
            getattr(self, name).load_state_dict(getattr(own, name).state_dict())
        self.join, self.begin, self.readout = own.join, own.begin, own.readout
        self.query, self.key, self.score = (
            getattr(own.attention, name) for name in ("query", "key", "score")
        )

    def encode(self, source: Tensor, lengths: Tensor) -> tuple[Memory, Tensor, Tensor]:
        """The memory of sources, and the first states of both layers (1, B, H)."""
        packed = pack_padded_sequence(
            self.embed(source) * self.scale, lengths, batch_first=True, enforce_sorted=False
        )
        found, _ = pad_packed_sequence(self.encoder(packed)[0], batch_first=True)
        valid = torch.arange(source.shape[1]) < lengths[:, None]
        values = torch.tanh(self.join(found)) * valid[..., None]
        first = torch.tanh(self.begin(values.sum(1) / lengths[:, None]))
        lower, upper = (part[None].contiguous() for part in first.chunk(2, -1))
        return (values, self.key(values), valid), lower, upper

    def decode(
        self, before: Tensor, memory: Memory, lower: Tensor, upper: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Features (B, T, H) after each token, and the new states."""
        values, keys, valid = memory
        embedded = self.embed(before) * self.scale
        low, lower = self.lower(embedded, lower)
        together = torch.tanh(self.query(low)[:, :, None] + keys[:, None])
        scores = self.score(together).squeeze(-1).masked_fill(~valid[:, None], -torch.inf)
        context = torch.softmax(scores, -1) @ values
        high, upper = self.upper(torch.cat([low, context], -1), upper)
        return torch.tanh(self.readout(torch.cat([high, context, embedded], -1))), lower, upper

    def forward(self, x: Batch, stepping: bool = False) -> Tensor:
        """Logits (N, V) of the tokens that count."""
        memory, lower, upper = self.encode(x.source, x.lengths)
        if not stepping:
            features, _, _ = self.decode(x.before, memory, lower, upper)
            return self.head(features[x.counted])
        parts = []
        for t in range(x.before.shape[1]):
            part, lower, upper = self.decode(x.before[:, t : t + 1], memory, lower, upper)
            parts.append(part)
        return self.head(torch.cat(parts, 1)[x.counted])

    @torch.no_grad()
    def search(self, source: Tensor, lengths: Tensor) -> Tensor:
        """The best `WRITTEN` tokens of each source (R, T), by a beam of `BEAM`."""
        rows = len(source)
        memory, lower, upper = self.encode(source, lengths)
        memory = tuple(part.repeat_interleave(BEAM, 0) for part in memory)
        lower, upper = (state.repeat_interleave(BEAM, 1) for state in (lower, upper))
        token = torch.full((rows * BEAM, 1), BOUNDARY)
        scores = torch.full((rows, BEAM), -torch.inf)
        scores[:, 0] = 0.0
        written = torch.empty(rows, BEAM, 0, dtype=torch.long)
        base = torch.arange(rows)[:, None] * BEAM
        for _ in range(WRITTEN):
            features, lower, upper = self.decode(token, memory, lower, upper)
            found = torch.log_softmax(self.head(features[:, 0]), -1).reshape(rows, BEAM, TOKENS)
            scores, place = (scores[..., None] + found).flatten(1).topk(BEAM, 1)
            parent, token = place // TOKENS, place % TOKENS
            old = written.gather(1, parent[..., None].expand(-1, -1, written.shape[2]))
            written = torch.cat([old, token[..., None]], 2)
            index, token = (base + parent).flatten(), token.reshape(-1, 1)
            lower, upper = lower[:, index], upper[:, index]
        features, _, _ = self.decode(token, memory, lower, upper)
        ends = torch.log_softmax(self.head(features[:, 0]), -1)[:, BOUNDARY].reshape(rows, BEAM)
        best = (scores + ends).argmax(1)
        return written[torch.arange(rows), best]


def pair(hidden: int) -> tuple[TranslationNetwork, Peer]:
    """Both models."""
    torch.manual_seed(0)
    own = TranslationNetwork(GRU, TOKENS, hidden, hidden).eval()
    with torch.no_grad():
        own.words.weight.mul_(3)  # spread, so that rounding does not choose among tokens
        own.words.bias[BOUNDARY] = -20.0
    return own, Peer(own, hidden).eval()


def some_pairs() -> Batch:
    """Pairs as one batch."""
    draw = np.random.default_rng(0)
    lengths = draw.integers(8, 21, (ROWS, 2))
    return batch([tuple(draw.integers(1, TOKENS, n) for n in two) for two in lengths])


def weights(model: Any) -> list[Any]:
    """The parameters of both, in one order, shared ones once."""
    words = [model.words.weight, model.words.bias] if isinstance(model, TranslationNetwork) else []
    words = words or [model.embed.weight, model.head.bias]
    attention = getattr(model, "attention", model)
    linear = [model.join, model.begin, model.readout, attention.query, attention.key]
    layers = (model.encoder, model.lower, model.upper, *linear, attention.score)
    return [*words, *(p for layer in layers for p in layer.parameters())]


def training(hidden: int) -> dict[str, Any]:
    """Makers of a training pass of all."""
    (own, peer), x = pair(hidden), some_pairs()
    up = [torch.randn(int(x.counted.sum()), TOKENS)]
    ours, theirs = weights(own), weights(peer)
    given = (x.source, x.lengths, x.before, x.counted)
    return {
        "elman": lambda: Contestant(torch_pass(lambda: [own(*given)], ours, up)),
        "torch": lambda: Contestant(torch_pass(lambda: [peer(x)], theirs, up)),
        "torch stepping": lambda: Contestant(torch_pass(lambda: [peer(x, True)], theirs, up)),
    }


def searching(hidden: int, sentences: int) -> dict[str, Any]:
    """Makers of a search of all; the result is the tokens."""
    own, peer = pair(hidden)
    sources = np.random.default_rng(1).integers(1, TOKENS, (sentences, SOURCE))
    source = torch.from_numpy(np.pad(sources, ((0, 0), (0, 1))))
    lengths = torch.full((sentences,), SOURCE + 1)
    builder = Builder()
    programs = programs_of(own, builder)
    model = Model({}, builder.tensors, "", tuple(builder.tapes), programs)
    runtime, how = ProgramSearch(model), Searching(BEAM, stretch=(WRITTEN - 10) / SOURCE)

    @torch.no_grad()
    def ours() -> list[Any]:
        state, memory = own.encode(source, lengths)
        most = [WRITTEN] * sentences
        given: dict[str, Any] = {"start": BOUNDARY, "end": BOUNDARY, "most": most, "beam": BEAM}
        return tokens(beam_search(own.stepper(), state, shared=memory, **given))

    return {
        "elman": lambda: Contestant(ours),
        "runtime": lambda: Contestant(lambda: tokens(runtime(sources, how))),
        "torch": lambda: Contestant(lambda: [peer.search(source, lengths).double()]),
    }


def tokens(found: Any) -> list[Any]:
    """The best of each, (R, T)."""
    return [np.asarray([one[0].tokens for one in found], np.float64)]


def main() -> None:
    """Print the table."""
    given = contest.parser(__doc__ or "", "translation_speed").parse_args()
    said = contest.limit(given.threads)
    print(f"{header()}\n{said}", flush=True)
    with contest.forced(given.engine):
        for hidden in (256, 512):
            row(given, "training", hidden, ROWS, int(some_pairs().counted.sum()))
            for sentences in (1, 32):
                row(given, "search", hidden, sentences, sentences)


def row(given: Any, what: str, hidden: int, rows: int, count: int) -> None:
    """Measure and print one line; `count`: of what is done in a pass."""

    def run() -> dict[str, Any]:
        if what == "search":
            makers, labels = searching(hidden, rows), ["tokens"]
        else:
            makers = training(hidden)
            labels = ["logits", *(f"gradient {k}" for k in range(len(weights(pair(hidden)[0]))))]
        terms = hidden * count if what == "training" else 1
        found = contest.measure(
            makers, reference="torch", labels=labels, terms=terms, rounds=given.rounds
        )
        return found._asdict()

    key = {"what": what, "cell": "GRU", "hidden": hidden, "rows": rows}
    seconds = contest.once("translation_speed", key, run, given)["seconds"]
    unit = "tokens/s" if what == "training" else "sentences/s"
    each = "  ".join(f"{name} {count / one.median:,.1f} {unit}" for name, one in seconds.items())
    ratio = contest.ratio(seconds, "torch")
    print(f"{what:9}{rows:3} rows  H {hidden:4}  {each}  {ratio:5.2f} x torch", flush=True)


if __name__ == "__main__":
    main()
