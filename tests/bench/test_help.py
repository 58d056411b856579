"""Every benchmark that takes flags says what it does when asked for help, and runs nothing."""

import runpy
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"


def _takes_flags(path):
    text = path.read_text(encoding="utf-8")
    return '__name__ == "__main__"' in text and "pars" in text


SCRIPTS = sorted(path.name for path in BENCH.glob("*.py") if _takes_flags(path))
OURS = {path.stem for path in BENCH.glob("*.py")} | {"elman", "elman_runtime"}


def test_the_scripts_are_found():
    assert {"layers.py", "forecast.py", "step.py", "kill_stream.py", "translation.py"} <= {*SCRIPTS}


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_is_given_and_nothing_is_run(name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(BENCH / name), "--help"])
    monkeypatch.syspath_prepend(str(BENCH))
    try:
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(BENCH / name), run_name="__main__")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in OURS:
            raise
        pytest.skip(f"needs {error.name}, which `make bench` installs")
    assert end.value.code == 0
    said = capsys.readouterr().out
    assert said.startswith(f"usage: {name}")
    assert len(said.splitlines()) > 4
