"""What importing elman does, and does not do."""

import subprocess
import sys

import elman

SAYS_WHAT_WAS_IMPORTED = """
import sys, torch
before = torch.get_num_threads(), torch.get_default_dtype(), torch.random.get_rng_state().sum()
import elman, elman.train, elman.tasks.forecast, elman.cli
after = torch.get_num_threads(), torch.get_default_dtype(), torch.random.get_rng_state().sum()
print(before == after)
optional = "polars matplotlib rich cyclopts sklearn statsforecast pandas".split()
print([name for name in optional if name in sys.modules])
"""


def test_everything_listed_is_there():
    for name in elman.__all__:
        assert getattr(elman, name) is not None


def test_importing_changes_nothing_and_imports_nothing_optional():
    found = subprocess.run(
        [sys.executable, "-c", SAYS_WHAT_WAS_IMPORTED], capture_output=True, text=True, check=True
    )
    assert found.stdout.split("\n")[:2] == ["True", "[]"]
