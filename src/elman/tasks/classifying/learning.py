"""From examples to all that fitting leaves: the network, the baselines, the evaluation."""

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from elman.cells import Cell
from elman.data.errors import refusal
from elman.data.mapped import spans
from elman.tasks.classifying.batches import logits_of
from elman.tasks.classifying.blending import best_factor
from elman.tasks.classifying.counting import (
    BAG,
    FEEDFORWARD,
    MAJORITY,
    Method,
    Methods,
    by_counting,
    first_guess,
    majority,
    said_of,
    share_logits,
)
from elman.tasks.classifying.evaluation import ALONE, OTHER, Evaluation
from elman.tasks.classifying.examples import Examples, check_trainable, class_counts
from elman.tasks.classifying.fitted import Fitted, Judged, build, front_of
from elman.tasks.classifying.held import Encoded, lengths_of
from elman.tasks.classifying.measuring import (
    Scores,
    best_temperature,
    measure,
    probabilities,
)
from elman.tasks.classifying.network import MeanOfWords, Resampled, SequenceClassifier
from elman.tasks.classifying.pretrained import start_from
from elman.tasks.classifying.reader import (
    Reader,
    learn_reader,
    sizes,
    weights_of,
)
from elman.tasks.classifying.settings import ClassifySettings
from elman.tasks.classifying.splits import divide
from elman.tasks.classifying.vectors import GIVEN, read_vectors
from elman.tasks.evaluated import CHOSEN
from elman.tasks.shared import Say
from elman.train import FitResult, FitSettings
from elman_runtime.bag import Bag

_MINIMISED = {
    "accuracy": "error rate",
    "f1": "1 - macro F1",
    "auroc": "1 - AUROC",
    "loss": "log loss",
}


@dataclasses.dataclass(frozen=True)
class Job:
    """What is trained and how: settings, and the page's `train`."""

    cell: type[Cell]
    settings: ClassifySettings
    fitting: FitSettings
    train: Callable[..., FitResult]
    say: Say


@dataclasses.dataclass(frozen=True)
class Part:
    """Examples, what a network takes for them, and which classes are true (N, C)."""

    examples: Examples
    encoded: Encoded
    flags: Any


@dataclasses.dataclass(frozen=True)
class Data:
    """The parts, how examples are read, and the seed of what is drawn of them."""

    train: Part
    validation: Part
    test: Part
    reader: Reader
    settings: ClassifySettings
    seed: int = 0

    def loss(self, logits: Tensor, y: Tensor) -> Tensor:
        """Nats a label, each class with its weight."""
        weights = weights_of(self.train.flags, self.settings)
        w = None if weights is None else torch.from_numpy(weights).to(logits)
        if self.settings.several:
            return nn.functional.binary_cross_entropy_with_logits(logits, y, pos_weight=w)
        return nn.functional.cross_entropy(logits, y, weight=w)

    @property
    def metric(self) -> str:
        """What is scored, the less the better."""
        return _MINIMISED[self.settings.chosen_by]

    def score(self, logits: Any, which: str = "validation") -> float:
        """What validation chooses by, to be minimised; of a part, "validation" or "test"."""
        several, metric = self.settings.several, self.settings.chosen_by
        flags = getattr(self, which).flags
        scores = measure(probabilities(logits, several), flags, several)
        return (0.0 if metric == "loss" else 1.0) - scores.value(metric)


def divided(
    found: Examples,
    settings: ClassifySettings,
    seed: int,
    validation: Examples | None = None,
    test: Examples | None = None,
) -> Data:
    """The parts: those given, and for the others their share of the examples.

    Raises:
        DataError: there are too few examples, or a part has labels that training does not.
    """
    check_trainable(found, settings.several)
    shares = (
        0.0 if validation is not None else settings.validation_share,
        0.0 if test is not None else settings.test_share,
    )
    parts = divide(found, shares, seed)
    if validation is None and not len(parts.validation):
        rule = "a class has three examples that differ: to train, to choose by, to report on"
        raise refusal(found.name, "examples", rule, "copies of a few", "add other examples")
    everyone = (
        found.subset(parts.train),
        found.subset(parts.validation) if validation is None else validation,
        found.subset(parts.test) if test is None else test,
    )
    reader = learn_reader(everyone[0], settings)
    flags = [reader.flags(one) for one in everyone]
    # What is measured is measured on all of a part at once.
    each = zip(everyone, (flags[0], *(one.whole() for one in flags[1:])), strict=True)
    made = [Part(one, reader.encode(one), own) for one, own in each]
    return Data(made[0], made[1], made[2], reader, settings, seed)


def learn(job: Job, data: Data, run_dir: Path | None = None, **options: Any) -> Fitted:
    """Train and measure everything.

    Args:
        run_dir: for checkpoints and history; None writes nothing.
        options: `resume` and `progress` of `elman.train.fit`.
    """
    network = start(job, data)
    name = job.cell.__name__
    job.say(f"{name}, {size(network):,} parameters")
    result = job.train(network, data, job.fitting, run_dir=run_dir, **options)
    job.say("baselines")
    methods = {MAJORITY: majority(data), **by_counting(data)}
    own, bag = with_words(name, by_network(network, data), methods.get(BAG), data)
    methods = own | methods
    if not job.settings.no_feedforward:
        other = _feedforward(job, data, size(network))
        # The same updates, by the same rules; minutes would give another number of them.
        fitting = dataclasses.replace(job.fitting, minutes=None, epochs=None, steps=result.steps)
        job.train(other, data, fitting, run_dir=None, progress=options.get("progress"))
        methods[FEEDFORWARD] = by_network(other, data)
    return dataclasses.replace(_fitted(job, data, network, methods, result), bag=bag)


def with_words(
    name: str, network: Method, words: Method | None, data: Data
) -> tuple[Methods, Bag | None]:
    """A network with the scores of a bag of words added, and alone; and the bag as it is added.

    Where the settings or validation have none added, the network as it is, and None.
    """
    if not data.settings.adds_words or words is None or words.bag is None:
        return {name: network}, None
    flags, several = data.validation.flags, data.settings.several
    factor = best_factor(network.validation, words.validation, flags, several)
    if not factor:
        return {name: network}, None
    both = Method(
        network.validation + factor * words.validation,
        network.test + factor * words.test,
        (network.parameters or 0) + (words.parameters or 0),
    )
    return {f"{name} + {BAG}": both, name + ALONE: network}, words.bag.times(factor)


def _fitted(
    job: Job, data: Data, network: SequenceClassifier, methods: Methods, result: FitResult
) -> Fitted:
    several, name = job.settings.several, next(iter(methods))
    flags = data.validation.flags
    temperatures = {n: best_temperature(m.validation, flags, several) for n, m in methods.items()}
    evaluation = _evaluated(data, methods, temperatures)
    reported = data.test if evaluation.test else data.validation
    logits = methods[name].test if evaluation.test else methods[name].validation
    found = probabilities(logits, several, temperatures[name])
    return Fitted(
        network.eval(),
        data.reader,
        temperatures[name],
        data.train.flags.mean(0),
        evaluation,
        (*data.train.examples.understood, *understood(data)),
        (*data.train.examples.notes, *_notes(data)),
        Judged(reported.examples, found, reported.flags),
        result,
    )


def _evaluated(data: Data, methods: Methods, temperatures: dict[str, float]) -> Evaluation:
    several = data.settings.several

    def scores(which: str, flags: Any) -> dict[str, Scores]:
        if not len(flags):
            return {}
        return {
            name: measure(
                probabilities(getattr(method, which), several, temperatures[name]), flags, several
            )
            for name, method in methods.items()
        }

    sizes_ = {name: m.parameters for name, m in methods.items() if m.parameters is not None}
    both = (
        scores("validation", data.validation.flags),
        scores("test", data.test.flags),
    )
    return Evaluation(*both, data.settings.chosen_by, sizes_, CHOSEN, said_of(data))


def start(job: Job, data: Data) -> SequenceClassifier:
    """The network as the seed gives it, with the shares of the classes as its first guess."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(job.fitting.seed)
        network = build(job.cell, job.settings, data.reader)
    begin_at_shares(network, data)
    if job.settings.vectors is not None:
        _start_from(job, data, network)
    if job.settings.pretrained is not None:
        assert data.reader.lexicon is not None
        start_from(job.settings.pretrained, network, data.reader.lexicon)
        job.say(f"tokens and recurrence start from {job.settings.pretrained}")
    return network


@torch.no_grad()
def begin_at_shares(network: nn.Module, data: Data) -> None:
    """Make the shares of the classes a network's first guess."""
    network.get_parameter("outer.bias").copy_(torch.from_numpy(first_guess(data)))


@torch.no_grad()
def _start_from(job: Job, data: Data, network: SequenceClassifier) -> None:
    """Put the vectors of a file in place of those that were drawn."""
    path, lexicon = job.settings.vectors, data.reader.lexicon
    if path is None or lexicon is None:
        raise ValueError("vectors are of words; got numbers; leave vectors out")
    at, vectors = read_vectors(path, lexicon, job.settings.embedding)
    weight = network.get_parameter("front.weight")
    scale = GIVEN / max(1e-6, float(vectors.std()))
    weight[torch.from_numpy(at)] = torch.from_numpy(vectors) * scale
    job.say(f"{len(at):,} of {lexicon.size - 2:,} words start from {path.name}")


def size(model: nn.Module) -> int:
    """How many parameters a network has."""
    return sum(p.numel() for p in model.parameters())


def by_network(model: nn.Module, data: Data) -> Method:
    """What a network says."""
    judge = partial(logits_of, model, classes=len(data.reader.classes))
    return Method(judge(data.validation.encoded), judge(data.test.encoded), size(model))


def _feedforward(job: Job, data: Data, parameters: int) -> nn.Module:
    """A network without a memory that has as many parameters, and the same first guess."""
    s, classes, reader = job.settings, len(data.reader.classes), data.reader
    found: MeanOfWords | Resampled
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(job.fitting.seed)
        if reader.lexicon is not None:
            width = MeanOfWords.width_for(parameters, reader.lexicon.size, classes)
            found = MeanOfWords(front_of(s, reader, width), width, classes, s.dropout)
        else:
            assert reader.scaling is not None
            hidden = Resampled.hidden_for(parameters, reader.scaling.width, classes)
            found = Resampled(reader.scaling.width, hidden, classes, s.dropout)
    begin_at_shares(found, data)
    return found


def understood(data: Data) -> list[tuple[str, str]]:
    """What was understood of the examples, in words."""
    counts = class_counts(data.train.examples)
    shown = [f"{name} ({count:,})" for name, count in list(counts.items())[:12]]
    more = f", and {len(counts) - 12:,} more" if len(counts) > 12 else ""
    low, middle, high = sizes(data.train.encoded)
    lexicon = data.reader.lexicon
    unit = "steps" if lexicon is None else data.settings.tokens.removesuffix("+subwords")
    most = f"to {high:,} {unit}, half of them up to {middle:,}" if low < high else f"{unit} each"
    parts = (data.train, data.validation, data.test)
    three = zip(("train", "validation", "test"), (len(p.flags) for p in parts), strict=True)
    found = [
        ("examples", ", ".join(f"{count:,} to {name}" for name, count in three if count)),
        ("classes", ", ".join(shown) + more),
        ("length", f"{low:,} {most}"),
    ]
    if lexicon is not None:
        more = f", {len(lexicon.parts):,} parts of words" if lexicon.parts else ""
        found.append(("vocabulary", f"{lexicon.size - 2 - len(lexicon.parts):,} {unit}{more}"))
    return found


def _notes(data: Data) -> list[str]:
    s, found = data.settings, []
    lengths = lengths_of(data.train.encoded)
    long = sum(int((lengths[one] > s.longest).sum()) for one in spans(len(lengths)))
    if long:
        found.append(
            f"{long:,} examples are longer than {s.longest:,}: trained on their beginning and end"
        )
    rare = [name for name, count in class_counts(data.train.examples).items() if count < 3]
    if rare:
        found.append(f"too rare to choose by or to report on: {', '.join(rare[:10])}")
    if len(data.validation.flags) < 100:
        count = len(data.validation.flags)
        found.append(f"validation has {count:,} examples alone: what it chooses is uncertain")
    return found


def evaluated(fitted: Fitted, settings: ClassifySettings, found: Examples) -> Fitted:
    """The network on other examples, beside the shares of the classes in training."""
    flags, name = fitted.reader.flags(found).whole(), fitted.evaluation.network
    logits = fitted.logits(found)
    guess = np.tile(share_logits(np.asarray(fitted.shares), settings.several), (len(found), 1))
    sure = probabilities(logits, settings.several, fitted.temperature)
    scores = {
        name: measure(sure, flags, settings.several),
        MAJORITY: measure(probabilities(guess, settings.several), flags, settings.several),
    }
    sizes_ = {name: fitted.evaluation.parameters[name]}
    evaluation = Evaluation({}, scores, settings.chosen_by, sizes_, OTHER)
    return dataclasses.replace(
        fitted, evaluation=evaluation, judged=Judged(found, sure, flags), notes=found.notes
    )
