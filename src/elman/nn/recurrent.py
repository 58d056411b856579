"""Any cell as a layer: stacked, in both directions, over batches of unequal lengths."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from elman import engine as engines
from elman import init
from elman.cells import Cell
from elman.engine import Call, Result, Weights, checked
from elman.engine.step import as_state, parameters
from elman.nn.layout import check_sizes, check_stack, constrained, parameter_of, parameter_shapes
from elman.nn.lowering import lower_recurrent, lower_recurrent_step
from elman.nn.masks import NO_MASKS, Masks, drawn
from elman.nn.options import Rates, as_cell, constants_of, positive, settings_of, zoneout_rates
from elman.nn.recurrent_plain import compiled
from elman.nn.sequence import (
    Pass,
    as_lengths,
    as_reset,
    check_clip,
    check_input,
    check_inputs,
    check_state,
    clear,
)
from elman.nn.stepped import SteppedModule

State = tuple[Any, ...]
"""One `cell.State` for each layer and direction: layer 0 forwards, 0 backwards, 1 forwards ..."""


class Recurrent(nn.Module):
    """Layers of a cell over a sequence.

    Axes: B batch, T time, I input_size, H hidden_size, D directions, O the width of a layer's
    output in one direction (H, or proj_size, or H times the number of values the cell reads out).

    Args:
        cell: a `Cell` class or its name; or a module with `initial_state(batch)` and
            `step(x, state)`, and nothing else: `Recurrent(module)` is a `SteppedModule`.
        input_size: I.
        hidden_size: H.
        layers: how many, one on top of the other.
        bidirectional: also run backwards in time and concatenate: outputs are D * O wide.
        bias: whether there are b_ih and b_hh, unless the cell has shifts of its own.
        proj_size: P > 0 projects the first state to P units after each step.
        residual: add to the output of each layer after the first what came in.
        layer_norm: normalise what goes into each layer after the first.
        dropout: share of what passes between two layers that is dropped in training.
        input_dropout, output_dropout: the same for the input of the first and the output of the
            last layer.
        state_dropout: the same for what U multiplies; the state itself stays whole.
        weight_drop: share of the entries of U that is dropped in training (DropConnect).
        zoneout: share of the units that keep their old state at a step; a number, or one for each
            state by name.
        learn_initial_state: make the state before the first step a parameter.
        clip_steps: longest gradient of the state as it leaves a step, row by row and each state
            apart, on its way back; None: no limit. What explodes within a sequence is cut where it
            does, and one row's explosion does not shorten what the others say, as `clip_norm` of
            `FitSettings` does. `native` and `reference` know it. (Graves, 2013, clips so.)
        constants: values for the cell's constants, by name.
        engine: force an engine; None leaves the choice to each call.

    Dropout masks are drawn once a pass: the same units are dropped at every step (Gal and
    Ghahramani, 2016). Zoneout's are drawn for every step (Krueger et al., 2017).

    Parameters carry torch's names, `weight_ih_l0`, `weight_hh_l0_reverse`, and those of the cell,
    such as `tau_l0`. They are initialised by `elman.init.recommended_`.

    Example:
        >>> import torch, elman
        >>> layer = elman.nn.Recurrent(elman.cells.GRU, 3, 5, layers=2)
        >>> y, state = layer(torch.randn(2, 7, 3), lengths=[7, 4])
        >>> y.shape, layer.last(state).shape
        (torch.Size([2, 7, 5]), torch.Size([2, 5]))
    """

    weight_ih_l0: Tensor
    suffixes: list[str]
    """The endings of parameter names, in the order of the state: l0, l0_reverse, l1, ..."""

    def __new__(cls, cell: Any = None, *args: Any, **kwargs: Any) -> Any:
        if isinstance(cell, nn.Module):
            return SteppedModule(cell, *args, **kwargs)
        return super().__new__(cls)

    def __init__(
        self,
        cell: type[Cell] | str,
        input_size: int,
        hidden_size: int,
        layers: int = 1,
        *,
        bidirectional: bool = False,
        bias: bool = True,
        proj_size: int = 0,
        residual: bool = False,
        layer_norm: bool = False,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        output_dropout: float = 0.0,
        state_dropout: float = 0.0,
        weight_drop: float = 0.0,
        zoneout: float | Mapping[str, float] = 0.0,
        learn_initial_state: bool = False,
        clip_steps: float | None = None,
        constants: Mapping[str, float] | None = None,
        engine: str | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.cell = as_cell(cell)
        self.input_size = positive("input_size", input_size)
        self.hidden_size = positive("hidden_size", hidden_size)
        self.layers = positive("layers", layers)
        self.proj_size = positive("proj_size", proj_size, least=0)
        self.directions = 2 if bidirectional else 1
        ways = ("", "_reverse")[: self.directions]
        self.suffixes = [f"l{layer}{way}" for layer in range(self.layers) for way in ways]
        self.bias = bias and self.cell.bias
        self.residual, self.layer_norm = residual, layer_norm
        self.rates = Rates(dropout, input_dropout, output_dropout, state_dropout, weight_drop)
        self.zoneout = zoneout_rates(zoneout, self.cell.state)
        self.learn_initial_state = learn_initial_state
        self.clip_steps = check_clip(clip_steps)
        self.constants = constants_of(self.cell, constants)
        self.engine = checked(engine)
        self._create_parameters({"device": device, "dtype": dtype})
        self.reset_parameters()

    def _create_parameters(self, kind: dict[str, Any]) -> None:
        check_sizes(self.cell, self.input_size, self.hidden_size, self.proj_size)
        first = self._width(self.cell.state[0])
        out = engines.output_width(self.cell, self.hidden_size, first)
        self.output_size = self.directions * out
        check_stack(self.cell, self.hidden_size, self.layers, self.output_size)
        shapes = partial(parameter_shapes, self.cell, self.hidden_size, first, self.bias)
        for k, suffix in enumerate(self.suffixes):
            width = self.input_size if k < self.directions else self.output_size
            for name, shape in shapes(width, self.learn_initial_state).items():
                empty = torch.empty(shape, **kind)
                self.register_parameter(f"{name}_{suffix}", nn.Parameter(empty))
        if self.layer_norm:
            norms = (nn.LayerNorm(self.output_size, **kind) for _ in range(self.layers - 1))
            self.norms = nn.ModuleList(norms)

    def reset_parameters(self) -> None:
        """Initialise anew: `elman.init.recommended_`, and the cell's own parameters as it says."""
        init.recommended_(self)
        for suffix in self.suffixes:
            for name, fill in self.cell.params.items():
                fill(getattr(self, f"{name}_{suffix}").detach())
            if self.learn_initial_state:
                self._reset_initial_state(suffix)

    def _reset_initial_state(self, suffix: str) -> None:
        for name, value in zip(self.cell.state, self._start(suffix), strict=True):
            with torch.no_grad():
                getattr(self, f"{name}_0_{suffix}").copy_(torch.as_tensor(value))

    def weights(self, k: int, masks: Masks = NO_MASKS) -> Weights:
        """The parameters that an engine takes for layer and direction k of `suffixes`."""

        def get(name: str) -> Tensor:
            return parameter_of(self, f"{name}_{self.suffixes[k]}")  # type: ignore[no-any-return]

        weight_hh = get("weight_hh") if self.cell.recurrent else None
        if weight_hh is not None:
            kept = weight_hh if masks.weight is None else weight_hh * masks.weight[k]
            weight_hh = constrained(self.cell, kept)
        return Weights(
            get("weight_ih"),
            weight_hh,
            get("bias_ih") if self.bias else None,
            get("bias_hh") if self.bias and self.cell.recurrent else None,
            get("weight_hr") if self.proj_size else None,
            {name: get(name) for name in self.cell.params},
        )

    def _width(self, name: str) -> int:
        return (
            self.proj_size or self.hidden_size if name == self.cell.state[0] else self.hidden_size
        )

    def _start(self, suffix: str) -> Any:
        """The state before the first step as the cell declares it, each broadcastable to (H,)."""
        if self.cell.start is None:
            return self.cell.State(*(0.0 for _ in self.cell.state))
        p = parameters(self.weights(self.suffixes.index(suffix)), self.constants)
        return as_state(self.cell, self.cell.start(p))

    def initial_state(self, batch: int) -> State:
        """The state before the first step for `batch` rows; leaves are (B, H), the first (B, P)."""
        return tuple(self._initial(suffix, batch) for suffix in self.suffixes)

    def _initial(self, suffix: str, batch: int) -> Any:
        like = self.weight_ih_l0
        if self.learn_initial_state:
            values = [getattr(self, f"{name}_0_{suffix}") for name in self.cell.state]
        else:
            values = [
                torch.as_tensor(value, dtype=like.dtype, device=like.device)
                for value in self._start(suffix)
            ]
        widths = map(self._width, self.cell.state)
        pairs = zip(values, widths, strict=True)
        return self.cell.State(*(value.expand(batch, width) for value, width in pairs))

    def _as_state(self, state: State, batch: int) -> State:
        shapes = [(batch, self._width(name)) for name in self.cell.state]
        return check_state(state, self.cell, self.suffixes, shapes, self.weight_ih_l0)

    def last(self, state: State) -> Float[Tensor, "B DO"]:
        """What the top layer ended with, both directions side by side: (B, D * P).

        Unlike `y[:, -1]`, this is right for rows of unequal lengths and for the backward direction.
        """
        return torch.cat([s[0] for s in state[-self.directions :]], -1)

    def forward(
        self,
        x: Float[Tensor, "B T I"],
        state: State | None = None,
        *,
        lengths: Tensor | Sequence[int] | None = None,
        reset: Bool[Tensor, "B T"] | None = None,
        masks: Masks | None = None,
        states: bool = False,
        **inputs: Tensor,
    ) -> tuple[Any, ...]:
        """Run over whole sequences.

        Args:
            x: (B, T, I); T may be 0.
            state: what to start from, as `initial_state` or an earlier call returned it.
            lengths: (B,), any order, 0 to T. The state stays at a row's end and outputs beyond
                are zero; what stands there in `x` has no influence.
            reset: (B, T); true where a boundary lies between t-1 and t: the state starts anew
                before step t, and in the backward direction before step t-1.
            masks: dropout masks from `draw_masks`; by default drawn anew in training.
            states: also return the states of every step.
            inputs: further inputs that the cell names, such as dt, (B, T) or (B, T, H).

        Returns:
            y (B, T, D * O), the new state, and with `states` one `cell.State` of (B, T, H) for
            each layer and direction.

        Raises:
            ValueError, TypeError: an argument has a wrong shape, dtype, device or value.
            EngineUnavailable: the forced engine cannot run this.
        """
        asked = lengths is not None or reset is not None or masks is not None or states or inputs
        if not asked and (found := compiled(self, x, state)) is not None:
            return found
        run = self._prepare(
            x, state, lengths=lengths, reset=reset, masks=masks, states=states, **inputs
        )
        y = run.x
        results: list[Result] = []
        for layer in range(self.layers):
            below = y
            each = self._run_layer(run, layer, self._enter(y, layer, run.masks))
            y = each[0].output if len(each) == 1 else torch.cat([r.output for r in each], -1)
            y = y + below if self.residual and layer else y
            results += each
        y = y if run.masks.output is None else y * run.masks.output[:, None]
        final = tuple(r.state for r in results)
        return (y, final, tuple(r.states for r in results)) if states else (y, final)

    def _run_layer(self, run: Pass, layer: int, y: Tensor) -> list[Result]:
        first = layer * self.directions
        ways = range(first, first + self.directions)
        return [engines.run(self._call(run, k, y), self.engine) for k in ways]

    def step(
        self,
        x: Float[Tensor, "B I"],
        state: State,
        *,
        reset: Bool[Tensor, " B"] | None = None,
        masks: Masks | None = None,
        **inputs: Tensor,
    ) -> tuple[Float[Tensor, "B O"], State]:
        """One step: x (B, I) and a state to y (B, O) and the new state.

        In training, dropout needs the same masks at every step: `masks = layer.draw_masks(B, T)`,
        then `layer.step(x_t, state, masks=masks.at(t))`. `inputs` are (B,) or (B, H).
        """
        if self.directions > 1:
            raise ValueError("step: a bidirectional layer needs the whole sequence; call the layer")
        if masks is None and self.training and (self.rates.any() or self.zoneout):
            raise ValueError(
                "step: in training, dropout needs masks that are shared by all steps: pass "
                "masks=layer.draw_masks(batch, steps).at(t), or call layer.eval()"
            )
        over_time = {name: value[:, None] for name, value in inputs.items()}
        y, new = self(
            x[:, None],
            state,
            reset=None if reset is None else reset[:, None],
            masks=masks or NO_MASKS,
            **over_time,
        )
        return y[:, 0], new

    def draw_masks(self, batch: int, steps: int) -> Masks:
        """Random masks for a training pass over `steps` steps of `batch` rows."""
        widths = [self._width(name) for name in self.cell.state]
        return drawn(self, widths, batch, steps)

    def lower(self, builder: Any, x: Any, state: Any = None, **inputs: Any) -> tuple[Any, State]:
        """Write these layers into a program (`elman.nn.Builder`); values in, values out."""
        return lower_recurrent(self, builder, x, state, **inputs)

    def lower_step(self, builder: Any, x: Any, state: State, **inputs: Any) -> tuple[Any, State]:
        """One step in a program, from a state of values such as `lower` returns."""
        return lower_recurrent_step(self, builder, x, state, **inputs)

    def first_call(self, x: Tensor, state: State | None = None, **options: Any) -> Call:
        """What `forward` with these arguments asks of an engine for the first layer, forwards."""
        with torch.random.fork_rng(devices=[]):  # to look at dropout's masks is not to draw them
            run = self._prepare(x, state, **options)
        return self._call(run, 0, run.x)

    def _prepare(
        self,
        x: Tensor,
        state: State | None = None,
        *,
        lengths: Tensor | Sequence[int] | None = None,
        reset: Tensor | None = None,
        masks: Masks | None = None,
        states: bool = False,
        **inputs: Tensor,
    ) -> Pass:
        check_input(x, self.input_size, self.weight_ih_l0)
        batch, steps = x.shape[:2]
        if masks is None:
            masks = self.draw_masks(batch, steps) if self.training else NO_MASKS
        whole = as_lengths(lengths, x)
        further = check_inputs(self.cell, inputs, x, self.hidden_size)
        y = clear(x, whole)
        return Pass(
            y if masks.input is None else y * masks.input[:, None],
            self.initial_state(batch) if state is None else self._as_state(state, batch),
            whole,
            as_reset(reset, x),
            self.initial_state(batch) if reset is not None else None,
            masks,
            states,
            {name: clear(value, whole) for name, value in further.items()},
        )

    def _enter(self, y: Tensor, layer: int, masks: Masks) -> Tensor:
        """What goes into a layer, of what came out of the one below."""
        if layer and self.layer_norm:
            y = self.norms[layer - 1](y)
        return y if not layer or masks.between is None else y * masks.between[layer - 1][:, None]

    def _call(self, run: Pass, k: int, y: Tensor) -> Call:
        keep: tuple[Tensor | float, ...] | None = None
        if self.zoneout:
            keep = run.masks.keep[k] if run.masks.keep else tuple(1 - z for z in self.zoneout)
        return Call(
            self.cell,
            y,
            run.state[k],
            self.weights(k, run.masks),
            self.constants,
            run.inputs,
            run.lengths,
            run.reset,
            None if run.start is None else run.start[k],
            reverse=k % self.directions == 1,
            state_mask=None if run.masks.state is None else run.masks.state[k],
            keep=keep,
            states=run.states,
            clip=self.clip_steps,
        )

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments that make a layer like this one, as JSON can hold them."""
        return settings_of(self)

    def extra_repr(self) -> str:
        """What `print(layer)` shows."""
        return (
            f"{self.cell.__name__}, {self.input_size}, {self.hidden_size}"
            + (f", layers={self.layers}" if self.layers > 1 else "")
            + (", bidirectional=True" if self.directions > 1 else "")
            + (f", proj_size={self.proj_size}" if self.proj_size else "")
        )
