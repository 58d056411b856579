"""Runs killed at random moments, by the command that prints the table."""

import subprocess
import sys
from pathlib import Path

KILL = Path(__file__).parents[2] / "bench" / "kill.py"


def test_a_killed_run_ends_with_the_same_weights():
    done = subprocess.run(
        [sys.executable, KILL, "--moments", "4", "--seed", "3", "--fork", "--no-record"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 of 4 end as the run left alone" in done.stdout
