"""One network: tuned, trained from several starts, measured."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from statistics import fmean

import torch
from torch import nn

from elman.compare.cost import bytes_a_step, seconds_a_step
from elman.compare.matching import hidden_for, parameters
from elman.compare.settings import CompareSettings
from elman.compare.tuning import Draw, Tried, draws
from elman.tasks.comparing import WHOLE, Contest, Kind, View
from elman.train import FitSettings

FRACTIONS = (8, 4, 2, 1)
SHUFFLED = (0.5, 1.0)


@dataclass(frozen=True)
class Scored:
    """What one training came to.

    - `seconds`: of training; `steps`: of the optimiser.
    """

    seed: int
    validation: float
    test: float
    seconds: float
    steps: int


@dataclass(frozen=True)
class Contestant:
    """A network, and all that was measured of it.

    - `recurrent`: whether it is made of a cell.
    - `draw`: its settings, chosen on validation among `tried`.
    - `scored`: one for each seed.
    - `step_seconds`, `step_bytes`: of a forward and a backward pass over one micro-batch, and what
      is kept between the two.
    - `lengths`, `orders`: scores on the test by how many steps were seen, and by the share of them
      that were shuffled.
    """

    name: str
    recurrent: bool
    hidden: int
    parameters: int
    draw: Draw
    tried: tuple[Tried, ...]
    scored: tuple[Scored, ...]
    step_seconds: float
    step_bytes: int
    lengths: dict[int, list[float]] = field(default_factory=dict)
    orders: dict[float, list[float]] = field(default_factory=dict)

    @property
    def validation(self) -> list[float]:
        """The scores on validation, one a seed."""
        return [one.validation for one in self.scored]

    @property
    def test(self) -> list[float]:
        """The scores on the test, one a seed."""
        return [one.test for one in self.scored]

    @property
    def seconds(self) -> float:
        """Of training once, on average."""
        return fmean(one.seconds for one in self.scored)


@dataclass(frozen=True)
class Trial:
    """What all networks share: the contest, the settings, and what they are matched to.

    - `model`: the kind that others are matched to; its hidden units are those of the contest.
    - `say`: is given a sentence for each training.
    - `progress`: as `elman.train.fit` has it.
    """

    contest: Contest
    settings: CompareSettings
    model: Kind
    say: Callable[[str], None]
    progress: bool | None = None

    def wanted(self, view: View) -> int:
        """The parameters of the network that others are matched to."""
        return parameters(self.build(self.model, *self.contest.sizes, view, seed=0))

    def build(
        self, kind: Kind, hidden: int, dropout: float, view: View = WHOLE, *, seed: int
    ) -> nn.Module:
        """A network at the start that the seed gives."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.contest.network(kind, hidden, dropout, view)

    def size(self, kind: Kind, draw: Draw, view: View = WHOLE) -> int:
        """The hidden units with which a network has its share of the parameters."""
        wanted = round(self.wanted(view) * draw.share)
        return hidden_for(lambda n: self.build(kind, n, draw.dropout, view, seed=0), wanted)

    def run(self, name: str, kind: Kind, reference: float | None) -> Contestant:
        """Tune, train and measure one kind; `reference`: the seconds a step it is matched to."""
        budget = self.contest.budget
        tried = tuple(self._tried(name, kind, reference))
        draw = min(tried, key=lambda one: one.score).draw if len(tried) > 1 else tried[0].draw
        hidden = self.size(kind, draw)
        first = self.build(kind, hidden, draw.dropout, seed=budget.seed)
        fitting = self.fitting(draw, first, reference)
        count = parameters(first)
        self.say(f"{name}: {hidden:,} units, {count:,} parameters, {_setting(draw)}")
        scored, models = [], []
        for k in range(self.settings.seeds):
            model = self.build(kind, hidden, draw.dropout, seed=budget.seed + k)
            scored.append(self._trained(model, dataclasses.replace(fitting, seed=budget.seed + k)))
            models.append(model)
            self.say(f"  seed {budget.seed + k}: {self._came_to(scored[-1])}")
        cost = (seconds_a_step(self.contest, first), bytes_a_step(self.contest, first))
        found = Contestant(
            name, not isinstance(kind, str), hidden, count, draw, tried, tuple(scored), *cost
        )
        return self._with_curves(kind, found, models)

    def _tried(self, name: str, kind: Kind, reference: float | None) -> Iterator[Tried]:
        """Each setting and its score, by a seed that is not used again."""
        own = self.contest.budget
        settings = draws(self.settings.tune, own.lr, self.contest.sizes[1], own.seed)
        if len(settings) == 1:
            yield Tried(settings[0], float("nan"))
            return
        seed = own.seed + self.settings.seeds
        for draw in settings:
            model = self.build(kind, self.size(kind, draw), draw.dropout, seed=seed)
            fitting = dataclasses.replace(self.fitting(draw, model, reference), seed=seed)
            self.contest.fit(model, fitting, progress=self.progress)
            score = self.contest.score(model, "validation")
            self.say(f"{name}, {_setting(draw)}: {self.contest.metric} {score:.4f} on validation")
            yield Tried(draw, score)

    def fitting(self, draw: Draw, model: nn.Module, reference: float | None) -> FitSettings:
        """How a network trains: with its learning rate, and for its time where that is matched."""
        own = dataclasses.replace(self.contest.budget, lr=draw.lr)
        own = dataclasses.replace(own, min_lr=min(own.min_lr, own.lr))
        if reference is None or own.steps is None:
            return own
        faster = reference / seconds_a_step(self.contest, model)
        return dataclasses.replace(own, steps=max(1, round(own.steps * faster)))

    def _trained(self, model: nn.Module, fitting: FitSettings) -> Scored:
        result = self.contest.fit(model, fitting, progress=self.progress)
        validation, test = (self.contest.score(model, which) for which in ("validation", "test"))
        return Scored(fitting.seed, validation, test, result.seconds, result.steps)

    def _came_to(self, one: Scored) -> str:
        words = f"{self.contest.metric} {one.validation:.4f} on validation, {one.test:.4f} on test"
        return f"{words}, {one.seconds:.1f} s"

    def _with_curves(self, kind: Kind, found: Contestant, models: list[nn.Module]) -> Contestant:
        """With scores on the test by steps seen, and by share shuffled."""
        if not self.settings.curve_seeds:
            return found
        whole = self.contest.steps
        lengths = {
            steps: self._viewed(kind, found, models, View(steps))
            for steps in sorted({max(1, whole // fraction) for fraction in FRACTIONS})
        }
        orders = {0.0: lengths[whole]}
        for share in (one for one in SHUFFLED if round(one * whole) > 1):
            orders[share] = self._viewed(kind, found, models, View(whole, share))
        return dataclasses.replace(found, lengths=lengths, orders=orders)

    def _viewed(
        self, kind: Kind, found: Contestant, models: list[nn.Module], view: View
    ) -> list[float]:
        """Scores of networks trained for a view, or of those that saw all."""
        if not self.contest.trains_views:
            few = models[: self.settings.curve_seeds]
            return [self.contest.score(model, "test", view) for model in few]
        if view == View(self.contest.steps):
            return found.test
        hidden, scores = self.size(kind, found.draw, view), []
        for k in range(self.settings.curve_seeds):
            seed = self.contest.budget.seed + k
            model = self.build(kind, hidden, found.draw.dropout, view, seed=seed)
            self.contest.fit(model, self._as_before(found, seed), progress=self.progress)
            scores.append(self.contest.score(model, "test"))
        words = (
            f"{view.shuffled:.0%} shuffled"
            if view.shuffled
            else f"last {view.steps} of {self.contest.steps} steps"
        )
        self.say(f"  {words}: {self.contest.metric} {scores[0]:.4f} on the test")
        return scores

    def _as_before(self, found: Contestant, seed: int) -> FitSettings:
        """How a network for a view trains: as the one that saw all did."""
        own = self.contest.budget
        steps = None if own.steps is None else found.scored[0].steps
        lr = found.draw.lr
        return dataclasses.replace(own, lr=lr, min_lr=min(own.min_lr, lr), seed=seed, steps=steps)


def _setting(draw: Draw) -> str:
    return f"lr {draw.lr:g}, dropout {draw.dropout:g}"
