"""Golden values from packages of one cell each, their step run one row at a time in float64.

Where a package as a whole needs more than NumPy and torch, the one file with the cell is loaded.
"""

import importlib
import importlib.util
import os
import sys
import types
import warnings
from functools import partial
from importlib.metadata import distribution, version
from pathlib import Path
from typing import Any

import torch
from from_torchrecurrent import fill
from rows import H, I, record
from torch import Tensor

torch.set_default_dtype(torch.float64)


def load(name: str, path: str | Path) -> Any:
    """A module from its file alone, whatever the package around it imports."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def installed(package: str, path: str) -> Path:
    return Path(str(distribution(package).locate_file(path)))


def tensors(w: Any, x: Any, further: Any, state: Any) -> Any:
    as_tensor = torch.as_tensor
    return (
        {name: as_tensor(value) for name, value in w.items()},
        as_tensor(x),
        {name: as_tensor(value) for name, value in further.items()},
        tuple(map(as_tensor, state)),
    )


def blocks(t: Tensor) -> tuple[Tensor, ...]:
    return t.split(H)


# --- CfC: ncps ----------------------------------------------------------------------------------


def cfc(cells: Any, *given: Any) -> Any:
    w, x, further, (h,) = tensors(*given)
    cell = cells.CfCCell(I, H, backbone_units=H, backbone_layers=1)
    u, b = blocks(w["weight_hh"]), blocks(w["bias_hh"])
    heads = {"ff1": 1, "ff2": 2, "time_a": 3, "time_b": 4}
    values = {f"{name}.weight": u[k] for name, k in heads.items()}
    values |= {f"{name}.bias": b[k] for name, k in heads.items()}
    values["backbone.0.weight"] = torch.cat([w["weight_ih"], u[0]], 1)
    values["backbone.0.bias"] = w["bias_ih"] + b[0]
    with torch.no_grad():
        y, new = fill(cell, values)(x[None], h[None], further["dt"])
    return y[0].numpy(), (new[0].numpy(),)


# --- minGRU, minLSTM: minGRU-pytorch -------------------------------------------------------------


def minimal(module: Any, linear: str, order: tuple[int, ...], *given: Any) -> Any:
    """One step; the bias is the weight of one more input that is 1."""
    w, x, _, (h,) = tensors(*given)
    cell = module(I + 1, expansion_factor=1.0)
    rows, bias = blocks(w["weight_ih"]), blocks(w["bias_ih"])
    weight = torch.cat([torch.cat([rows[k], bias[k][:, None]], 1) for k in order])
    getattr(cell, linear).weight = torch.nn.Parameter(weight)
    given_x = torch.cat([x, torch.ones(1)])[None, None]
    with torch.no_grad():
        y, new = cell(given_x, h[None, None], return_next_prev_hidden=True)
    return y[0, 0].numpy(), (new[0, 0].numpy(),)


# --- LRU: lru-pytorch ----------------------------------------------------------------------------


def lru(package: Any, *given: Any) -> Any:
    """C picks the real and the imaginary part of the state."""
    w, x, _, state = tensors(*given)
    cell = package.LRU(I, 2 * H, H)
    b_re, b_im = blocks(w["weight_ih"])
    eye = torch.eye(H).to(torch.complex128)
    size = torch.exp(-torch.exp(w["nu"]))
    cell.B, cell.C = (
        torch.nn.Parameter(m) for m in (torch.complex(b_re, b_im), torch.cat([eye, -1j * eye]))
    )
    cell.D = torch.nn.Parameter(torch.zeros(2 * H, I))
    cell.nu_log, cell.theta_log = torch.nn.Parameter(w["nu"]), torch.nn.Parameter(w["theta"])
    cell.gamma_log = torch.nn.Parameter(w["gamma"] + 0.5 * torch.log(1 - size**2))
    with torch.no_grad():
        y = cell(x[None], torch.complex(*state))[0]
    return y.numpy(), (y[:H].numpy(), y[H:].numpy())


# --- RG-LRU: recurrentgemma ----------------------------------------------------------------------


def recurrentgemma() -> Any:
    for name in ("recurrentgemma", "recurrentgemma.torch"):
        sys.modules[name] = types.ModuleType(name)
    folder = "recurrentgemma/torch/"
    typing = load(
        "recurrentgemma.torch.array_typing",
        installed("recurrentgemma", folder + "array_typing.py"),
    )
    sys.modules["recurrentgemma.torch"].array_typing = typing  # type: ignore[attr-defined]
    layers = load("recurrentgemma.torch.layers", installed("recurrentgemma", folder + "layers.py"))
    layers.rnn_scan = partial(layers.rnn_scan, acc_dtype=torch.float64)
    return layers


def rg_lru(layers: Any, *given: Any) -> Any:
    w, x, _, (h,) = tensors(*given)
    (w_r, w_i), (b_r, b_i) = blocks(w["weight_ih"]), blocks(w["bias_ih"])
    values = {
        "a_param": w["lam"],
        "a_gate.w": w_r.T,
        "a_gate.b": b_r,
        "input_gate.w": w_i.T,
        "input_gate.b": b_i,
    }
    later = torch.ones(1, 1, dtype=torch.int64)  # position 0 would start anew
    with torch.no_grad():
        y, new = fill(layers.RGLRU(H, 1), values)(x[None, None], later, h[None])
    return y[0, 0].numpy(), (new[0].numpy(),)


# --- sLSTM: xlstm --------------------------------------------------------------------------------


def slstm(module: Any, *given: Any) -> Any:
    w, x, _, state = tensors(*given)
    wx, ry = w["weight_ih"] @ x, w["weight_hh"] @ state[0]
    bias = (w["bias_ih"] + w["bias_hh"])[None]
    new, _ = module.slstm_forward_pointwise(
        wx[None], ry[None], bias, torch.stack(state)[:, None], {}
    )
    leaves = tuple(leaf[0].numpy() for leaf in new)
    return leaves[0], leaves


# --- SRU: sru ------------------------------------------------------------------------------------


def sru_ops() -> Any:
    """The loop in Python, without the compiling of kernels that its import starts."""
    import torch.utils.cpp_extension

    torch.utils.cpp_extension.load = lambda **_: None
    torch.jit.script = lambda function: function
    return importlib.import_module("sru.ops")


def sru(ops: Any, alpha: float, *given: Any) -> Any:
    w, x, _, (_h, c) = tensors(*given)
    n, f, r = blocks(w["weight_ih"] @ x)
    b_n, b_f, b_r = blocks(w["bias_ih"])
    # The three projections of a unit stand side by side; the candidate's bias is ours.
    u = torch.stack([n + b_n, f, r], -1).reshape(1, 1, -1)
    peep, bias = torch.cat([w["v_f"], w["v_r"]]), torch.cat([b_f, b_r])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        y, new = ops.elementwise_recurrence_naive(
            u, x[None, None], peep, bias, c[None], 0, H, False, True, torch.tensor(alpha)
        )
    return y[0, 0].numpy(), (y[0, 0].numpy(), new[0].numpy())


# --- LayerNormLSTM: haste ------------------------------------------------------------------------


def haste(folder: Path) -> Any:
    for name in ("haste_pytorch_lib", "haste", "haste.base_rnn"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["haste.base_rnn"].BaseRNN = torch.nn.Module  # type: ignore[attr-defined]
    return load("haste.layer_norm_lstm", folder / "frameworks/pytorch/layer_norm_lstm.py")


def layer_norm_lstm(module: Any, *given: Any) -> Any:
    """haste's gates are i g f o."""
    w, x, _, (h, c) = tensors(*given)

    def kernel(name: str) -> Tensor:
        i, f, g, o = blocks(w[name])
        return torch.cat([i, g, f, o]).T

    def side_by_side(prefix: str) -> Tensor:
        return torch.cat([w[f"{prefix}{gate}"] for gate in "igfo"])

    hs, cs = module.LayerNormLSTMScript(
        False,
        0.0,
        x[None, None],
        h[None],
        c[None],
        kernel("weight_ih"),
        kernel("weight_hh"),
        side_by_side("shift_"),
        torch.stack([side_by_side("gain_x"), side_by_side("gain_u")]),
        w["gain_c"],
        w["shift_c"],
        torch.empty(0),
    )
    return hs[1, 0].numpy(), (hs[1, 0].numpy(), cs[1, 0].numpy())


def scans() -> None:
    scan = {"weight_ih": (2 * H, I), "bias_ih": (2 * H,)}
    three = {"weight_ih": (3 * H, I), "bias_ih": (3 * H,)}

    gru = importlib.import_module("minGRU_pytorch.minGRU")
    lstm = importlib.import_module("minGRU_pytorch.minLSTM")
    gru.g = lstm.g = lambda v: v
    source = f"minGRU-pytorch {version('minGRU-pytorch')}, one step at a time, g = identity, "
    step = partial(minimal, gru.minGRU, "to_hidden_and_gate", (1, 0))
    record("MinGRU", source + "minGRU", step, scan)
    step = partial(minimal, lstm.minLSTM, "to_hidden_and_f_i_gate", (2, 0, 1))
    record("MinLSTM", source + "minLSTM", step, three)

    package = importlib.import_module("LRU_pytorch")
    record(
        "LRU",
        f"lru-pytorch {version('lru-pytorch')}, LRU",
        partial(lru, package),
        {"weight_ih": (2 * H, I), "nu": (H,), "theta": (H,), "gamma": (H,)},
        states=("re", "im"),
        between={"nu": (-3.0, 0.0)},
    )

    record(
        "RGLRU",
        f"recurrentgemma {version('recurrentgemma')}, torch RGLRU of one block",
        partial(rg_lru, recurrentgemma()),
        {"weight_ih": (2 * H, H), "bias_ih": (2 * H,), "lam": (H,)},
        width=H,
        between={"lam": (-4.0, -1.0)},
    )

    record(
        "SRU",
        f"sru {version('sru')}, elementwise_recurrence_naive",
        partial(sru, sru_ops(), 1.3),
        {"weight_ih": (3 * H, H), "bias_ih": (3 * H,), "v_f": (H,), "v_r": (H,)},
        states=("h", "c"),
        width=H,
        options={"constants": {"alpha": 1.3}},
    )


def gated() -> None:
    cells = load("ncps_cfc_cell", installed("ncps", "ncps/torch/cfc_cell.py"))
    shapes = {"weight_ih": (H, I), "bias_ih": (H,), "weight_hh": (5 * H, H), "bias_hh": (5 * H,)}
    source = f"ncps {version('ncps')}, CfCCell"
    record("CfC", source, partial(cfc, cells), shapes, inputs=("dt",))

    pointwise = load("xlstm_slstm", installed("xlstm", "xlstm/blocks/slstm/src/vanilla/slstm.py"))
    record(
        "SLSTM",
        f"xlstm {version('xlstm')}, slstm_forward_pointwise",
        partial(slstm, pointwise),
        {
            "weight_ih": (4 * H, I),
            "weight_hh": (4 * H, H),
            "bias_ih": (4 * H,),
            "bias_hh": (4 * H,),
        },
        states=("h", "c", "n", "m"),
        between={"n": (0.5, 1.5)},
    )

    if "HASTE" in os.environ:
        folder = Path(os.environ["HASTE"])
        own = [f"gain_{kind}{gate}" for kind in "xu" for gate in "ifgo"]
        own += [f"shift_{gate}" for gate in "ifgoc"] + ["gain_c"]
        record(
            "LayerNormLSTM",
            f"{folder.name}, LayerNormLSTMScript",
            partial(layer_norm_lstm, haste(folder)),
            {"weight_ih": (4 * H, I), "weight_hh": (4 * H, H)} | dict.fromkeys(own, (H,)),
            states=("h", "c"),
        )


if __name__ == "__main__":
    gated()
    scans()
