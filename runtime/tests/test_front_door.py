"""Importing the runtime brings in neither torch nor elman, and changes nothing."""

import importlib.metadata
import json
import subprocess
import sys

import elman_runtime

LOOK = """
import json, os, sys, warnings
warnings.simplefilter("error")
before = dict(os.environ)
import elman_runtime
print(json.dumps([sorted(sys.modules), dict(os.environ) == before]))
"""


def test_import_leaves_torch_and_elman_out():
    done = subprocess.run(
        [sys.executable, "-I", "-c", LOOK], capture_output=True, text=True, check=True
    )
    modules, same_environment = json.loads(done.stdout)
    assert done.stderr == ""
    assert same_environment
    assert "elman_runtime.model_file" in modules
    forbidden = {"torch", "elman", "safetensors", "pickle5", "nanobind"}
    assert not forbidden & {name.partition(".")[0] for name in modules}


def test_all_names_exist_and_the_version_is_the_distributions():
    for name in elman_runtime.__all__:
        assert hasattr(elman_runtime, name)
    assert elman_runtime.__version__ == importlib.metadata.version("elman-runtime")


def test_it_needs_numpy_alone():
    assert [row.split(">")[0] for row in importlib.metadata.requires("elman-runtime")] == ["numpy"]
