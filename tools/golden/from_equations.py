"""Golden values from the papers' equations, in plain NumPy, where no package has the cell."""

from typing import Any

import numpy as np
from rows import H, I, record


def sigmoid(v: Any) -> Any:
    return 1 / (1 + np.exp(-v))


def norm(v: Any) -> Any:
    """Ba et al., equations 15 and 16: over the whole vector."""
    return (v - v.mean()) / np.sqrt(v.var() + 1e-5)


def per_gate(w: Any, gates: str, *, recurrent: bool = True) -> dict[str, Any]:
    """W_g, U_g and the two biases of each gate, by name."""
    found = {}
    for kind in ("weight_ih", "bias_ih", "weight_hh", "bias_hh"):
        if kind in w and (recurrent or kind.endswith("ih")):
            parts = np.split(w[kind], len(gates))
            found |= {f"{kind}_{g}": part for g, part in zip(gates, parts, strict=True)}
    return found


def gru_reset_before(w: Any, x: Any, _further: Any, state: Any) -> Any:
    """Cho et al. (2014), equations 5 to 8."""
    p, (h,) = per_gate(w, "rzn"), state
    r, z = (
        sigmoid(
            p[f"weight_ih_{g}"] @ x
            + p[f"bias_ih_{g}"]
            + p[f"weight_hh_{g}"] @ h
            + p[f"bias_hh_{g}"]
        )
        for g in "rz"
    )
    candidate = p["weight_ih_n"] @ x + p["weight_hh_n"] @ (r * h)
    new = z * h + (1 - z) * np.tanh(candidate + p["bias_ih_n"] + p["bias_hh_n"])
    return new, (new,)


def layer_norm_gru(w: Any, x: Any, _further: Any, state: Any) -> Any:
    """Ba et al. (2016), equations 23 to 25; our z is 1 - theirs."""
    (h,) = state
    both = slice(0, 2 * H)
    gain_x, gain_u, shift = (
        np.concatenate([w[f"{kind}r"], w[f"{kind}z"]]) for kind in ("gain_x", "gain_u", "shift_")
    )
    gates = sigmoid(
        gain_x * norm(w["weight_ih"][both] @ x) + gain_u * norm(w["weight_hh"][both] @ h) + shift
    )
    r, z = gates[:H], 1 - gates[H:]
    from_input = w["gain_xn"] * norm(w["weight_ih"][2 * H :] @ x) + w["shift_xn"]
    from_state = w["gain_un"] * norm(w["weight_hh"][2 * H :] @ h) + w["shift_un"]
    new = (1 - z) * h + z * np.tanh(from_input + r * from_state)
    return new, (new,)


def gru_d(w: Any, x: Any, further: Any, state: Any) -> Any:
    """Che et al. (2018), with one time gap for all units; our z is 1 - theirs."""
    rate = w["decay_w"] * further["dt"] + w["decay_b"]
    return gru_reset_before(w, x, {}, (np.exp(-np.maximum(0, rate)) * state[0],))


def hgrn(w: Any, x: Any, _further: Any, state: Any) -> Any:
    """Qin, Yang and Zhong (2023), section 3, in complex numbers."""
    re, im, forget = np.split(w["weight_ih"] @ x + w["bias_ih"], 3)
    candidate = re * sigmoid(re) + 1j * im * sigmoid(im)
    bound = sigmoid(w["bound"])
    keep = bound + (1 - bound) * sigmoid(forget)
    old = state[0] + 1j * state[1]
    new = keep * np.exp(1j * w["theta"]) * old + (1 - keep) * candidate
    return np.concatenate([new.real, new.imag]), (new.real, new.imag)


def main() -> None:
    source = f"the paper's equations in NumPy {np.__version__}, tools/golden/from_equations.py: "
    gated = {
        "weight_ih": (3 * H, I),
        "bias_ih": (3 * H,),
        "weight_hh": (3 * H, H),
        "bias_hh": (3 * H,),
    }
    record("GRUResetBefore", source + "gru_reset_before", gru_reset_before, gated)
    own = [f"gain_{kind}{gate}" for kind in "xu" for gate in "rzn"]
    own += [f"shift_{name}" for name in ("r", "z", "xn", "un")]
    record(
        "LayerNormGRU",
        source + "layer_norm_gru",
        layer_norm_gru,
        {"weight_ih": (3 * H, I), "weight_hh": (3 * H, H)} | dict.fromkeys(own, (H,)),
    )
    record(
        "GRUD",
        source + "gru_d",
        gru_d,
        gated | {"decay_w": (H,), "decay_b": (H,)},
        inputs=("dt",),
        between={"decay_w": (0.2, 1.0), "decay_b": (-0.1, 0.5)},
    )
    record(
        "HGRN",
        source + "hgrn",
        hgrn,
        {"weight_ih": (3 * H, I), "bias_ih": (3 * H,), "theta": (H,), "bound": (H,)},
        states=("re", "im"),
    )


if __name__ == "__main__":
    main()
