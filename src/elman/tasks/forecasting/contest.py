"""Forecasting as `elman compare` and `elman doctor TASK DATA` see it."""

import dataclasses
from typing import Any, ClassVar

from torch import Tensor, nn

from elman.data import Panel, read_panel
from elman.tasks.comparing import CONVOLUTION, FEEDFORWARD, WHOLE, Kind, View, refuse
from elman.tasks.forecasting import statistical, training
from elman.tasks.forecasting.baselines import feed_forward
from elman.tasks.forecasting.encoding import choose_encoding
from elman.tasks.forecasting.informed import informed
from elman.tasks.forecasting.learning import examples
from elman.tasks.forecasting.linear_start import Alone, Start, set_start
from elman.tasks.forecasting.measuring import every_method
from elman.tasks.forecasting.metrics import Array, average, scores_of
from elman.tasks.forecasting.rivals import ConvolutionNetwork, Seen, start_of
from elman.tasks.forecasting.settings import FIT, ForecastSettings, budgeted
from elman.tasks.forecasting.splits import Shape
from elman.tasks.forecasting.spread import objective
from elman.tasks.forecasting.windows import Batch, Windows, cut
from elman.tasks.shared import sort_out
from elman.train import FitResult, FitSettings

LINEAR = "linear map"


class Contest:
    """Series, and networks that forecast them: points alone, without intervals.

    Each network begins at the same linear map, solved for; each view has one of its own. Covariates
    are seen by all but the naive forecasts, AutoETS and that linear map itself; the convolution has
    them beside it, not within.
    """

    task: ClassVar[str] = "forecast"
    settings: ClassVar[type[Any]] = ForecastSettings
    fitting: ClassVar[FitSettings] = FIT
    fixed: ClassVar[tuple[str, ...]] = ("level", "ensemble", "refit")

    def __init__(self, data: Any, **settings: Any) -> None:
        refuse(settings, self.fixed)
        own, fitting = sort_out(settings, ForecastSettings, FIT)
        if "h" not in own:
            raise ValueError("h must be given; got none; give the steps to forecast, such as h=24")
        self.own = ForecastSettings(**own, level=())
        self.budget = budgeted(dataclasses.replace(FIT, **fitting))
        panel = data if isinstance(data, Panel) else read_panel(data, **self.own.reading)
        training.check_support(panel, self.own.support)
        self.shape, self.parts, short = examples(panel, self.own)
        self.encoding = choose_encoding(panel, self.shape.held_out)
        lines = tuple(panel.understood.lines())
        self.understood = (*lines, f"  warning   too short: {', '.join(short)}") if short else lines
        self.steps = self.shape.window // self.shape.segment
        many = f"{self.shape.segment} values" if self.shape.segment > 1 else "one value"
        self.metric, self.step = "MASE", many
        self.sizes = (self.own.hidden, self.own.dropout)
        self.trains_views = True
        self._starts: dict[tuple[int, float], Start] = {}

    def network(self, kind: Kind, hidden: int, dropout: float, view: View = WHOLE) -> nn.Module:
        """A network at its start, drawn by torch's generator."""
        shape = self._shape(view)
        inner = self._inner(kind, hidden, dropout, shape)
        set_start([inner], self._start(shape, view))
        if shape.window == self.shape.window and not view.shuffled:
            return inner
        return Seen(inner, shape.window, shape.h, shape.segment, view)

    def _inner(self, kind: Kind, hidden: int, dropout: float, shape: Shape) -> nn.Module:
        # The page imports this room.
        from elman.tasks.forecast import build

        if not isinstance(kind, str):
            own = dataclasses.replace(self.own, hidden=hidden, dropout=dropout)
            return build(kind, own, shape, **self.encoding.sizes)
        if kind == FEEDFORWARD:
            return feed_forward(shape, hidden, dropout, self.encoding.sizes)
        if kind == CONVOLUTION:
            sizes = (shape.window, shape.h, shape.segment, hidden)
            network = ConvolutionNetwork(*sizes, dropout, shape.start)
            return informed(network, shape, self.encoding.sizes)
        raise ValueError(f"kind must be a cell, {FEEDFORWARD} or {CONVOLUTION}; got {kind!r}")

    def _shape(self, view: View) -> Shape:
        """Sizes of what a view shows."""
        window = (view.steps or self.steps) * self.shape.segment
        window = self.shape.window if view.steps in (None, self.steps) else window
        start = 0 if view.shuffled or window < self.shape.season else self.shape.start
        return dataclasses.replace(self.shape, window=window, start=start)

    def _start(self, shape: Shape, view: View = WHOLE) -> Start:
        key = (shape.window, view.shuffled)
        if key not in self._starts:
            self._starts[key] = start_of(self.parts, shape, view)
        return self._starts[key]

    def fit(self, model: nn.Module, fitting: FitSettings, **options: Any) -> FitResult:
        """Train; the best weights by validation stay, the start among them."""
        from elman.tasks.forecast import train

        return train(model, self.shape, self.parts, self.own, fitting, **options)

    def score(self, model: nn.Module, which: str, view: View = WHOLE) -> float:
        """MASE over the windows of a split, averaged over series."""
        if view != WHOLE:
            raise ValueError("view must be WHOLE: a network is trained for each; build it with one")
        return self._scores(which, {"": model})[""]

    def _scores(
        self, which: str, networks: dict[str, nn.Module], others: Any = None
    ) -> dict[str, float]:
        cuts = cut(self.parts, self.shape, which)
        made = every_method(cuts, self.shape, networks, self.own.support, others or {})
        wanted = networks if others is None else made
        return {name: self._error(cuts, [one.point for one in made[name]]) for name in wanted}

    def _error(self, cuts: Any, points: list[Array]) -> float:
        each = [
            scores_of(one.truth, point, one.part.naive, one.part.scale)
            for one, point in zip(cuts, points, strict=True)
        ]
        return average(each).chosen_by

    def baselines(self, which: str) -> dict[str, float]:
        """Naive forecasts, the linear map that networks begin at, and AutoETS if installed."""
        linear = {LINEAR: Alone(self._start(self.shape).linear)}
        others = statistical.methods(self.shape, len(self.parts), self.own.ets_series)
        return self._scores(which, dict(linear), others)

    def batch(self) -> Batch:
        """The first training windows."""
        seed = self.budget.seed
        return Windows(self.parts, self.shape, self.own.batch_size, seed, per=self.own.per)[0]

    def loss(self, model: nn.Module, batch: Batch, carry: Any = None) -> tuple[Tensor, Any]:
        """As training has it."""
        made = model(*batch.inputs)
        return objective(made, batch.y, batch.weight, self.own.loss, ()), carry
