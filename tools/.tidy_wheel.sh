#!/usr/bin/env bash
# Build both wheels into dist/ and try them in empty environments: tools/wheel.sh [PYTHON]
# PYTHON has elman installed: it makes the models that are tried where there is no torch.
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-python3}" in
    */*) PYTHON=$(cd "$(dirname "${1}")" && pwd)/$(basename "${1}") ;;
    *) PYTHON=${1:-python3} ;;
esac

dist=$PWD/dist
version=$("$PYTHON" -c 'import tomllib; print(tomllib.load(open("pyproject.toml", "rb"))["project"]["version"])')
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

# One line a step; what a step printed is shown only when it failed.
step() {
    local name=$1
    shift
    # Not `if "$@"`: within a condition, bash goes on after a failing command.
    set +e
    (
        set -e
        "$@"
    ) >"$scratch/log" 2>&1
    local status=$?
    set -e
    if [ "$status" -ne 0 ]; then
        cat "$scratch/log" >&2
        echo "wheel: $name: FAILED" >&2
        exit 1
    fi
    echo "wheel: $name: ok"
}

build() {
    mkdir -p "$dist"
    rm -f "$dist"/elman-*.whl "$dist"/elman_runtime-*.whl "$dist"/numpy-*.whl
    "$PYTHON" -m pip wheel --quiet --no-deps --wheel-dir "$dist" "$@"
}

compiled() {
    # The name of a pure wheel ends in -none-any: no compiler was found.
    ! ls "$dist"/elman_runtime-*-none-any.whl 2>/dev/null
}

numpy_beside() {
    # The NumPy that is being tested with, not whatever is the newest.
    local wanted
    wanted=$("$PYTHON" -c 'import numpy; print(numpy.__version__)' 2>/dev/null) || wanted=
    "$PYTHON" -m pip download --quiet --no-deps --only-binary :all: --dest "$dist" "numpy${wanted:+==$wanted}"
}

# A new environment in which nothing of the repository or of the caller can be imported.
fresh() {
    "$PYTHON" -m venv "$scratch/$1"
}

inside() {
    (cd "$scratch" && "$scratch/$1/bin/python" -I "${@:2}")
}

# Small models, and what torch makes of them.
models() {
    (cd "$scratch" && "$PYTHON" - <<'PY'
import numpy as np
import torch

import elman

torch.manual_seed(0)
layer = elman.nn.Recurrent("LSTM", 3, 8).eval()
elman.save(layer, "lstm.safetensors", quiet=True)
x = torch.randn(1, 20, 3)
with torch.no_grad():
    np.savez("lstm.npz", x=x[0].numpy(), y=layer(x)[0][0].numpy())
text = "to be or not to be, that is the question\n" * 60
model = elman.LanguageModel(hidden=8, steps=3, length=16, batch_size=4, no_feedforward=True)
model.fit(text).save("text.safetensors")
written = model.generate("to ", length=30, seed=1)
open("written.txt", "w", encoding="utf-8").write(written)
PY
    )
}

try_runtime() {
    fresh runtime
    inside runtime -m pip install --quiet --no-index --find-links "$dist" elman-runtime
    inside runtime - <<'PY'
import importlib.metadata
import importlib.util

import numpy as np

import elman_runtime
from elman_runtime import model_file, native

assert importlib.util.find_spec("torch") is None, "torch is here: this proves nothing"
assert native.available, native.missing_because
assert importlib.metadata.version("elman-runtime") == elman_runtime.__version__
weights = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([True, False])}
digest = model_file.write("model.safetensors", {"version": 1}, weights)
found = model_file.read("model.safetensors")
assert found.digest == digest and found.meta == {"version": 1}
assert all(np.array_equal(found.tensors[name], weights[name]) for name in weights)
try:
    model_file.write("model.safetensors", {}, {"w": np.array([np.nan])})
except model_file.ModelFileError:
    pass
else:
    raise AssertionError("a NaN was stored")

kept = np.load("lstm.npz")
stream = elman_runtime.Stream("lstm.safetensors")
made = np.concatenate([stream.step(kept["x"][0])[None], stream.push(kept["x"][1:])])
assert np.allclose(made, kept["y"], atol=1e-6), abs(made - kept["y"]).max()
np.savetxt("in.csv", kept["x"], delimiter=",")
PY
    inside runtime -m elman_runtime stream lstm.safetensors <"$scratch/in.csv" >"$scratch/out.csv"
    inside runtime -m elman_runtime generate text.safetensors --prompt "to " --length 30 --seed 1 \
        >"$scratch/generated.txt"
    inside runtime - <<'PY'
import numpy as np

rows = np.loadtxt("out.csv", delimiter=",", skiprows=1)
kept = np.load("lstm.npz")
assert np.array_equal(rows[:, 0], np.arange(20))
assert np.allclose(rows[:, 1:], kept["y"], atol=1e-6), abs(rows[:, 1:] - kept["y"]).max()
written = "to " + open("written.txt", encoding="utf-8").read() + "\n"
assert open("generated.txt", encoding="utf-8").read() == written
PY
}

try_elman() {
    # Without its dependencies it cannot be imported: what it says of itself is what is checked.
    fresh elman
    inside elman -m pip install --quiet --no-index --no-deps "$dist"/elman-"$version"-*.whl
    inside elman - "$version" <<'PY'
import importlib.metadata as metadata
import sys

elman = metadata.distribution("elman")
assert elman.version == sys.argv[1], elman.version
scripts = {entry.name: entry.value for entry in elman.entry_points.select(group="console_scripts")}
assert scripts == {"elman": "elman.cli:main"}, scripts
needs = {row.split(">")[0].split(";")[0].strip() for row in elman.requires}
assert {"elman-runtime", "torch", "numpy"} <= needs, needs
names = {str(name) for name in elman.files}
assert "elman/__init__.py" in names and "elman/cli/__init__.py" in names, sorted(names)
assert not [name for name in names if name.startswith(("tests/", "runtime/", "elman_runtime/"))]
PY
}


step "the compiled module is in it" compiled
step "numpy beside them" numpy_beside
step "models to try it with" models
step "elman-runtime in an empty environment" try_runtime
step "elman's metadata in an empty environment" try_elman
ls -1 "$dist"
