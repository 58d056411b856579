"""Write the golden model files, runtime/tests/golden/format_<n>.safetensors, one a format version.

They say what files of a version look like for ever, so an existing one is never written anew:
`python tools/model_files.py` adds those that are missing. What the models must give is computed
here from the equations, in float64, and stored beside the weights as `extra.output`.
"""

from pathlib import Path

import numpy as np

from elman_runtime import model_file, tape, write_model
from elman_runtime.program import Node, Program, State, Value

FOLDER = Path(__file__).parents[1] / "runtime" / "tests" / "golden"
WIDTH, UNITS = 3, 4

GRU = """\
elman tape 1
name GRU
gates r z n
recurrent r z n
state h
update
  u0 = project s.h r+ z+ n
  v0 = sigmoid u0.r
  v1 = sigmoid u0.z
  v2 = copy u0.n
  r0 = mul v0 u0.n
  r0 = add x.n r0
  v3 = tanh r0
  r0 = sub s.h v3
  r0 = mul v1 r0
  new.h = add v3 r0
"""
WEIGHTS = {
    "weight_ih": (3 * UNITS, WIDTH),
    "weight_hh": (3 * UNITS, UNITS),
    "bias_ih": (3 * UNITS,),
    "bias_hh": (3 * UNITS,),
}


def weights(seed):
    """Distinct values, small enough that no gate is saturated."""
    draw = np.random.default_rng(seed).standard_normal
    return {role: draw(shape).astype("f4") for role, shape in WEIGHTS.items()}


def gru(w, x):
    """Hidden states (B, T, H) of x (B, T, I), from zero."""
    w = {role: value.astype("f8") for role, value in w.items()}
    h, found = np.zeros((len(x), UNITS)), []
    for t in range(x.shape[1]):
        a = np.split(x[:, t] @ w["weight_ih"].T + w["bias_ih"], 3, -1)
        b = np.split(h @ w["weight_hh"].T + w["bias_hh"], 3, -1)
        r, z = 1 / (1 + np.exp(-a[0] - b[0])), 1 / (1 + np.exp(-a[1] - b[1]))
        h = (1 - z) * np.tanh(a[2] + r * b[2]) + z * h
        found.append(h)
    return np.stack(found, 1)


def format_0(path):
    """One layer by the name of its cell and its settings, without a program."""
    none = ("proj_size", "clip_steps", "engine")
    rates = ("dropout", "input_dropout", "output_dropout", "state_dropout", "weight_drop")
    settings = {
        "cell": "GRU",
        "input_size": WIDTH,
        "hidden_size": UNITS,
        "layers": 1,
        "bidirectional": False,
        "bias": True,
        "residual": False,
        "layer_norm": False,
        "learn_initial_state": False,
        "constants": {},
        **dict.fromkeys((*rates, "zoneout"), 0.0),
        **dict.fromkeys(none),
        "proj_size": 0,
    }
    tensors = {f"{role}_l0": value for role, value in weights(0).items()}
    model_file.write(path, {"format": 0, "kind": "Recurrent", "settings": settings}, tensors)


def format_1(path):
    """Tokens, a layer and a head: a classifier of whole sequences, and what it says so far."""
    draw = np.random.default_rng(1).standard_normal
    tensors = {"table": draw((5, WIDTH)).astype("f4"), "head": draw((2, UNITS)).astype("f4")}
    tensors |= {"head.bias": draw(2).astype("f4"), **weights(2)}
    cell = Node("cell", ("e",), ("h",), {role: role for role in WEIGHTS}, ("h",), {"tape": 0})
    head = {"weight": "head", "bias": "head.bias"}
    nodes = (Node("embedding", ("token",), ("e",), {"weight": "table"}), cell)
    token, state = (Value("token", ("T",), "int"),), (State("h", (UNITS,)),)
    step = (*nodes, Node("linear", ("h",), ("y",), head))
    last = (*nodes, Node("last", ("h",), ("end",)), Node("linear", ("end",), ("y",), head))
    programs = {
        "main": Program(token, (Value("y", (2,)),), state, last),
        "step": Program(token, (Value("y", ("T", 2)),), state, step),
    }
    tokens = np.random.default_rng(3).integers(0, 5, (2, 6))
    states = gru(tensors, tensors["table"].astype("f8")[tokens])
    output = states @ tensors["head"].astype("f8").T + tensors["head.bias"]
    extra = {"extra.token": tokens, "extra.output": output}
    tapes = [tape.from_text(GRU)]
    settings = {"classes": ["no", "yes"]}
    write_model(path, programs, tapes, tensors | extra, "Classifier", settings, task="golden")


def main():
    """Write the files that are missing."""
    FOLDER.mkdir(exist_ok=True)
    for number, make in enumerate((format_0, format_1)):
        path = FOLDER / f"format_{number}.safetensors"
        if path.exists():
            print(f"{path} is there and stays as it is")
        else:
            make(path)
            print(f"{path}: {model_file.read(path).digest}, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
