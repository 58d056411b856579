"""Initialisers, for parameters and for whole layers.

Functions ending in `_` change what they are given, as torch's do. Those that take a module read
its layers by attribute (`weight_ih_l0`, `weight_hh_l0`, ...), so they serve elman's layers and
torch's own `nn.RNN`, `nn.LSTM` and `nn.GRU` alike.
"""

import math
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

Initialiser = Callable[[Tensor], Any]
"""Fills a tensor in place."""


class Layer(NamedTuple):
    """The parameters of one layer in one direction, with what its gates mean."""

    suffix: str
    owner: nn.Module
    gates: int
    forget: int | None
    admit: int | None

    @property
    def couples(self) -> bool:
        """Whether the input gate is what forgets as well: the cell has nothing else that could."""
        return couples(getattr(self.owner, "cell", None))

    def get(self, name: str) -> Tensor | None:
        """The parameter `name` of this layer, or None."""
        if f"{name}_{self.suffix}" in getattr(self.owner, "parametrizations", ()):
            raise ValueError(
                f"{name}_{self.suffix} is parametrised, so writing to it would be lost: "
                "initialise first, then parametrise"
            )
        found = getattr(self.owner, f"{name}_{self.suffix}", None)
        return found if isinstance(found, Tensor) else None

    def rows(self, name: str, gate: int) -> Tensor | None:
        """The block of rows of `name` that belongs to a gate, or None."""
        whole = self.get(name)
        return None if whole is None else whole.chunk(self.gates)[gate]


def couples(cell: Any) -> bool:
    """Whether a cell's input gate is what forgets as well: it has nothing else that could."""
    return cell is not None and not (cell.forget_gate or cell.params) and bool(cell.input_gate)


def remembering(cell: Any) -> str | None:
    """What spreads the memory of a cell over many steps: "chrono_", "recommended_", or nothing."""
    if cell.forget_gate or couples(cell):
        return "chrono_"
    return "recommended_" if cell.__name__ in (*_LASTING, "RNNReLU") else None


def constant(value: float) -> Initialiser:
    """Every entry is `value`."""
    return lambda t: nn.init.constant_(t, value)


def uniform(low: float, high: float) -> Initialiser:
    """Uniform between `low` and `high`."""
    return lambda t: nn.init.uniform_(t, low, high)


def log_uniform(low: float, high: float) -> Initialiser:
    """exp of a uniform: each order of magnitude between `low` > 0 and `high` is as likely."""
    if not 0 < low < high:
        raise ValueError(f"log_uniform: needs 0 < low < high, got low={low}, high={high}")

    def fill(t: Tensor) -> Tensor:
        with torch.no_grad():
            return t.uniform_(math.log(low), math.log(high)).exp_()

    return fill


def ring(r_min: float = 0.0, r_max: float = 1.0) -> Initialiser:
    """nu such that |lambda| = exp(-exp(nu)) is uniform by area between r_min and r_max.

    Orvieto et al., "Resurrecting recurrent neural networks for long sequences" (2023), lemma 3.2.
    """
    if not 0 <= r_min < r_max <= 1:
        raise ValueError(f"ring: needs 0 <= r_min < r_max <= 1, got r_min={r_min}, r_max={r_max}")

    def fill(t: Tensor) -> Tensor:
        tiny = torch.finfo(t.dtype).tiny
        with torch.no_grad():
            area = t.uniform_(r_min**2, r_max**2).clamp_(tiny, 1 - torch.finfo(t.dtype).eps)
            return area.log_().mul_(-0.5).log_()

    return fill


def log_of_uniform(high: float) -> Initialiser:
    """Logarithm of a uniform between 0 and `high` > 0, such as the angle of a complex state."""
    if high <= 0:
        raise ValueError(f"log_of_uniform: needs high > 0, got {high}")

    def fill(t: Tensor) -> Tensor:
        with torch.no_grad():
            return t.uniform_(0, high).clamp_(torch.finfo(t.dtype).tiny).log_()

    return fill


def softplus_decay(low: float, high: float, power: float = 1.0) -> Initialiser:
    """v such that exp(-power * softplus(v)), what a step leaves of a state, is uniform.

    De et al., "Griffin" (2024), section 2.4: between 0.9 and 0.999, with a power of 8.
    """
    if not 0 < low < high < 1 or power <= 0:
        raise ValueError(
            f"softplus_decay: needs 0 < low < high < 1 and power > 0, got low={low}, high={high}, "
            f"power={power}"
        )

    def fill(t: Tensor) -> Tensor:
        with torch.no_grad():
            # The inverse of softplus, v = log(exp(d) - 1), of d = -log(uniform) / power.
            return t.uniform_(low, high).log_().div_(-power).expm1_().log_()

    return fill


def orthogonal_(weight: Tensor, gates: int = 1, gain: float = 1.0) -> Tensor:
    """Each gate's block of `weight` (gates * H, K) becomes a random (semi-)orthogonal matrix.

    Saxe et al., "Exact solutions to the nonlinear dynamics of learning" (2014).
    """
    for block in weight.detach().chunk(gates):
        if block.dtype in (torch.float16, torch.bfloat16):
            # Half precisions have no QR decomposition.
            block.copy_(nn.init.orthogonal_(block.float(), gain))
        else:
            nn.init.orthogonal_(block, gain)
    return weight


def identity_(weight: Tensor, gates: int = 1, scale: float = 1.0) -> Tensor:
    """Each gate's block of `weight` (gates * H, H) becomes `scale` times the identity.

    With relu and zero biases this is the IRNN of Le, Jaitly and Hinton (2015).
    """
    for block in weight.detach().chunk(gates):
        with torch.no_grad():
            block.copy_(torch.eye(*block.shape, dtype=block.dtype, device=block.device) * scale)
    return weight


def forget_bias_(module: nn.Module, value: float = 1.0) -> list[str]:
    """Set the bias of every forget gate so that b_ih + b_hh = `value`; returns what it did.

    Gers et al. (2000); Jozefowicz et al. (2015). The gate is the cell's `forget_gate`.
    """
    return [line for layer in recurrent_layers(module) for line in _set_forget(layer, value)]


def _set_forget(layer: Layer, value: float | Tensor) -> list[str]:
    if layer.forget is None:
        return []
    b_ih, b_hh = layer.rows("bias_ih", layer.forget), layer.rows("bias_hh", layer.forget)
    if b_ih is None:
        return []
    with torch.no_grad():
        b_ih.copy_(torch.as_tensor(value, dtype=b_ih.dtype))
        if b_hh is not None:
            b_hh.zero_()
    shown = "log U(1, t_max - 1)" if isinstance(value, Tensor) else f"{value:g}"
    return [f"bias_ih_{layer.suffix}: forget gate = {shown}"]


def chrono_(module: nn.Module, t_max: int) -> list[str]:
    """Forget biases log U(1, t_max - 1), input-gate biases their negative; returns what it did.

    The forgetting times of the units are then spread over 1 .. t_max steps. Where the input gate
    is also what forgets (`MinGRU`, `MGU`), its biases are the negative ones.
    Tallec and Ollivier, "Can recurrent neural networks warp time?" (2018), equation 16.
    """
    if t_max < 3:
        raise ValueError(f"chrono_: t_max must be at least 3 steps, got {t_max}")
    done = []
    for layer in recurrent_layers(module):
        gate = layer.admit if layer.couples else layer.forget
        bias = None if gate is None else layer.rows("bias_ih", gate)
        if bias is None:
            continue
        spread = torch.empty_like(bias).uniform_(1, t_max - 1).log_()
        done += _set_forget(layer, spread)
        if layer.admit is not None:
            _set_admit(layer, layer.admit, -spread)
            words = "-log U(1, t_max - 1)" if layer.couples else "-forget gate"
            done.append(f"bias_ih_{layer.suffix}: input gate = {words}")
    return done


def _set_admit(layer: Layer, gate: int, value: Tensor) -> None:
    admit, hidden = layer.rows("bias_ih", gate), layer.rows("bias_hh", gate)
    with torch.no_grad():
        if admit is not None:
            admit.copy_(value)
        if hidden is not None:
            hidden.zero_()


def recommended_(module: nn.Module, length: int | None = None) -> list[str]:
    """The initialisation that the evidence supports; returns what it did, a line for each tensor.

    W: Glorot uniform for each gate. U: orthogonal for each gate. Biases: zero, but one for a
    forget gate. Other parameters of a cell keep the initialiser the cell declares.

    With `length`, how many steps back the data need, memory is spread over so many steps: gates
    as `chrono_` does it; in `LRU` and `RGLRU` what a step leaves of a state, exp(-1 / U(1,
    length)); the last layer of `IndRNN` starts between 2^(-1/length) and 1 (Li et al., 2018), and
    U of a relu network as the identity (Le et al., 2015).
    """
    layers = list(recurrent_layers(module))
    done = [line for layer in layers for line in _recommend(layer)]
    if length is None:
        return done
    done += chrono_(module, length)
    return done + [line for layer in layers for line in _lasting(layer, length)]


def _lasting(layer: Layer, length: int) -> list[str]:
    """Of the parameters that are no gates, those that decide how long a layer remembers."""
    fill = _LASTING.get(getattr(getattr(layer.owner, "cell", None), "__name__", ""))
    if fill is not None:
        name, words, function = fill
        value = layer.get(name)
        if value is None or (name == "u" and not _is_last(layer)):
            return []
        with torch.no_grad():
            value.copy_(function(torch.rand_like(value), length))
        return [f"{name}_{layer.suffix}: {words}"]
    weight = layer.get("weight_hh")
    if weight is None or not _is_relu(layer.owner):
        return []
    identity_(weight)
    return [f"weight_hh_{layer.suffix}: identity"]


def _times(uniform: Tensor, length: int) -> Tensor:
    """Uniform between 1 and `length` steps, after which 1/e of a state is left."""
    return 1 + uniform * (length - 1)


_LASTING: dict[str, tuple[str, str, Callable[[Tensor, int], Tensor]]] = {
    "LRU": ("nu", "|lambda| = exp(-1 / U(1, length))", lambda r, n: -_times(r, n).log()),
    # With r half open and c = 8 a step leaves exp(-4 softplus(lam)).
    "RGLRU": (
        "lam",
        "a = exp(-1 / U(1, length))",
        lambda r, n: (0.25 / _times(r, n)).expm1().log(),
    ),
    "IndRNN": ("u", "U(2^(-1 / length), 1)", lambda r, n: 1 - r * (1 - 2 ** (-1 / n))),
}


def _is_last(layer: Layer) -> bool:
    layers: int = getattr(layer.owner, "layers", 1)
    return layer.suffix.startswith(f"l{layers - 1}")


def _is_relu(owner: nn.Module) -> bool:
    name = getattr(getattr(owner, "cell", None), "__name__", "")
    return name == "RNNReLU" or getattr(owner, "mode", "") == "RNN_RELU"


def _recommend(layer: Layer) -> list[str]:
    done = []
    for name in ("weight_ih", "weight_hh", "weight_hr"):
        weight = layer.get(name)
        if weight is None:
            continue
        if name == "weight_ih":
            for block in weight.detach().chunk(layer.gates):
                nn.init.xavier_uniform_(block)
            done.append(f"{name}_{layer.suffix}: Glorot uniform, each gate apart")
        else:
            blocks = weight.shape[0] // _hidden(layer) if name == "weight_hh" else 1
            orthogonal_(weight, blocks)
            done.append(f"{name}_{layer.suffix}: orthogonal, each gate apart")
    for name in ("bias_ih", "bias_hh"):
        bias = layer.get(name)
        if bias is not None:
            nn.init.zeros_(bias.detach())
            done.append(f"{name}_{layer.suffix}: zero")
    return done + _set_forget(layer, 1.0)


def _hidden(layer: Layer) -> int:
    weight = layer.get("weight_ih")
    if weight is None:
        raise ValueError(f"layer {layer.suffix} has no weight_ih")
    return weight.shape[0] // layer.gates


def recurrent_layers(module: nn.Module) -> Iterator[Layer]:
    """Every recurrent layer and direction within `module`, found by the names of its parameters."""
    for owner in module.modules():
        for name in dir(owner) if hasattr(owner, "weight_ih_l0") else ():
            found = re.fullmatch(r"weight_ih_(l\d+(?:_reverse)?)", name)
            if found:
                yield Layer(found[1], owner, *_gates_of(owner))


def _gates_of(owner: nn.Module) -> tuple[int, int | None, int | None]:
    """How many gates, and which of them forgets and which admits the input."""
    cell = getattr(owner, "cell", None)
    if cell is not None:
        return (
            len(cell.gates),
            _index(cell.gates, cell.forget_gate),
            _index(cell.gates, cell.input_gate),
        )
    # torch's own classes, and the drop-ins over them.
    return {"LSTM": (4, 1, 0), "GRU": (3, 1, None)}.get(getattr(owner, "mode", ""), (1, None, None))


def _index(gates: tuple[str, ...], name: str | None) -> int | None:
    return None if name is None else gates.index(name)
