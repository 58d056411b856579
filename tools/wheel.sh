#!/usr/bin/env bash
# Build both wheels into dist/ and try them in empty environments: tools/wheel.sh [PYTHON]
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

step "build elman-runtime and elman" build ./runtime .
step "the compiled module is in it" compiled
step "numpy beside them" numpy_beside
step "elman-runtime in an empty environment" try_runtime
step "elman's metadata in an empty environment" try_elman
ls -1 "$dist"
