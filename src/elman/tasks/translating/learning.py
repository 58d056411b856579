"""From pairs to all that fitting leaves: the network, the baselines, the evaluation."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from elman.cells import Cell
from elman.tasks.shared import Say
from elman.tasks.translating import baselines
from elman.tasks.translating.batches import Batch, Pair, batch
from elman.tasks.translating.decoding import Searching, Translator, translate
from elman.tasks.translating.evaluation import OTHER, Evaluation
from elman.tasks.translating.examples import Examples, prepare
from elman.tasks.translating.fitted import Fitted, Sample, build
from elman.tasks.translating.measuring import Score, library, score
from elman.tasks.translating.memoryless import WindowNetwork
from elman.tasks.translating.pairs import Pairs, Parallel, beginning
from elman.tasks.translating.settings import TranslateSettings
from elman.train import FitResult, FitSettings

FEEDFORWARD = "feedforward"
SAMPLES = 12
LONGEST = 400
"""Characters of a line that a sample shows."""

_ROWS = 64


@dataclasses.dataclass(frozen=True)
class Job:
    """What is trained and how: settings, and the page's `train`."""

    cell: type[Cell]
    settings: TranslateSettings
    fitting: FitSettings
    train: Callable[..., FitResult]
    say: Say


def learn(job: Job, parallel: Parallel, run_dir: Path | None = None, **options: Any) -> Fitted:
    """Train and measure everything.

    Args:
        run_dir: for the vocabulary, checkpoints and history; None writes nothing.
        options: `resume` and `progress` of `elman.train.fit`.
    """
    library()  # what is missing is said before hours of training
    s = job.settings
    examples = prepare(parallel, s.vocabulary, s.longest, run_dir)
    network = _seeded(job, lambda: build(job.cell, s, examples.vocabulary.size))
    name = job.cell.__name__
    job.say(f"{name}, {size(network):,} parameters, {examples.vocabulary.size:,} subwords")
    result = job.train(network, examples, s, job.fitting, run_dir=run_dir, **options)
    everyone: dict[str, Translator] = {name: network}
    if not s.no_feedforward:
        everyone[FEEDFORWARD] = _feedforward(job, examples, size(network), result, options)
    job.say("measuring")
    return _measured(job, parallel, examples, everyone, result)


def _measured(
    job: Job,
    parallel: Parallel,
    examples: Examples,
    everyone: dict[str, Translator],
    result: FitResult,
) -> Fitted:
    ways = _methods(everyone, examples, parallel.train, job.settings)
    scores: list[dict[str, Score]] = []
    translations: list[str] = []
    for part in (parallel.validation, parallel.test):
        found = {name: way(part.source) for name, way in ways.items()} if len(part) else {}
        scores.append({name: score(lines, part.target) for name, lines in found.items()})
        translations = found.get(job.cell.__name__, translations)
    shown = parallel.test if len(parallel.test) else parallel.validation
    sizes = {name: size(model) for name, model in everyone.items()}
    counts = {"validation": len(parallel.validation), "test": len(parallel.test)}
    notes = (*parallel.notes, *([examples.note] if examples.note else []), *_limits(parallel))
    network = everyone[job.cell.__name__]
    network.eval()
    return Fitted(
        network,  # type: ignore[arg-type]
        examples.vocabulary,
        Evaluation(scores[0], scores[1], sizes, counts),
        tuple(parallel.understood()),
        notes,
        tuple(samples(shown, translations)),
        result,
    )


Way = Callable[[Sequence[str]], list[str]]


def _methods(
    everyone: dict[str, Translator], examples: Examples, train: Pairs, s: TranslateSettings
) -> dict[str, Way]:
    how = Searching(s.beam, s.length_penalty)

    def by_network(model: Translator) -> Way:
        return lambda lines: first_lines(translate(model.eval(), examples.vocabulary, lines, how))

    memory, dictionary = baselines.Memory(train), baselines.Dictionary(train)
    ways = {name: by_network(model) for name, model in everyone.items()}
    return ways | {
        baselines.DICTIONARY: lambda lines: [dictionary.translate(line) for line in lines],
        baselines.MEMORY: lambda lines: [memory.translate(line) for line in lines],
        baselines.COPY: list,
    }


def first_lines(found: Sequence[Sequence[Any]]) -> list[str]:
    """The text of the best translation of each line."""
    return [one[0].text for one in found]


def samples(pairs: Pairs, translations: Sequence[str]) -> list[Sample]:
    """Some pairs, evenly over all, and their translations; what is very long is cut."""
    rows = sorted({k * len(pairs) // SAMPLES for k in range(SAMPLES)})
    three = [(pairs.source[k], pairs.target[k], translations[k]) for k in rows]
    return [Sample(*(beginning(line, LONGEST) for line in one)) for one in three]


def _limits(parallel: Parallel) -> list[str]:
    if len(parallel.train) <= baselines.MOST:
        return []
    return [f"memory and dictionary are made from the first {baselines.MOST:,} pairs"]


def _seeded(job: Job, make: Callable[[], Any]) -> Any:
    """A network as the seed gives it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(job.fitting.seed)
        return make()


def _feedforward(
    job: Job, examples: Examples, parameters: int, result: FitResult, options: dict[str, Any]
) -> WindowNetwork:
    """A network without recurrence of as many parameters, after as many updates."""
    s, tokens = job.settings, examples.vocabulary.size
    hidden = WindowNetwork.hidden_for(parameters, tokens, s.embedding)
    found: WindowNetwork = _seeded(
        job, lambda: WindowNetwork(tokens, s.embedding, hidden, s.dropout)
    )
    job.say(f"{FEEDFORWARD}, a baseline, {size(found):,} parameters")
    # The same updates, by the same rules; minutes would give another number of them.
    fitting = dataclasses.replace(job.fitting, minutes=None, epochs=None, steps=result.steps)
    job.train(found, examples, s, fitting, run_dir=None, progress=options.get("progress"))
    return found


def loss_of(model: nn.Module, x: Batch, smoothing: float) -> Tensor:
    """Nats a token of a batch, with smoothed labels."""
    logits = model(x.source, x.lengths, x.before, x.counted)
    return nn.functional.cross_entropy(logits, x.after[x.counted], label_smoothing=smoothing)


def size(model: nn.Module) -> int:
    """How many parameters a network has."""
    return sum(p.numel() for p in model.parameters())


@torch.no_grad()
def nats_a_token(model: nn.Module, pairs: Sequence[Pair]) -> float:
    """What each token of the targets costs, given its source and those before it."""
    total, count = 0.0, 0
    device = next(model.parameters()).device
    order = sorted(pairs, key=lambda pair: len(pair[1]))
    for start in range(0, len(order), _ROWS):
        x = batch(order[start : start + _ROWS])
        own = [t.to(device) for t in (x.source, x.lengths, x.before, x.counted)]
        logits: Tensor = model(*own)
        after = x.after[x.counted].to(device)
        total += float(nn.functional.cross_entropy(logits, after, reduction="sum"))
        count += len(after)
    return total / max(1, count)


def measured(fitted: Fitted, pairs: Pairs, name: str, how: Searching) -> Evaluation:
    """The network on other pairs, beside the source itself, which needs no training text."""
    found = first_lines(translate(fitted.network.eval(), fitted.vocabulary, pairs.source, how))
    scores = {name: score(found, pairs.target), baselines.COPY: score(pairs.source, pairs.target)}
    return Evaluation({}, scores, {name: size(fitted.network)}, {"test": len(pairs)}, OTHER)
