"""`elman demo`: a task on data that comes along, and lessons for a lecture."""

import os
import time
from pathlib import Path

from elman.cli import forecast_command, run_folder
from elman.cli.console import result, say
from elman.data import DEMO_FILES, demo_file
from elman.demo import Lesson, lessons, teach
from elman.demo.notebook import notebook
from elman.demo.pages import page
from elman_runtime import files

_DEMOS = {"forecast": "hourly temperatures of three airports, 24 hours ahead; about a minute"}


def demo(name: str, runs: Path) -> None:
    """Run a demonstration, or list them.

    Raises:
        ValueError: there is none of that name.
    """
    taught = lessons()
    if not name:
        listed = _DEMOS | {key: lesson.words for key, lesson in taught.items()}
        result("\n".join(f"elman demo {key:<10} {words}" for key, words in listed.items()))
        return
    if name in taught:
        _teach(taught[name], runs)
        return
    if name not in _DEMOS:
        known = ", ".join([*_DEMOS, *taught])
        raise ValueError(f"no demo is called {name!r}; known: {known}; choose one")
    file = demo_file(name)
    say(f"Demonstration: {_DEMOS[name]}. Data: {DEMO_FILES[name]}, comes with elman.")
    say()
    forecast_command.train(file, forecast_command.RunSettings(runs), {"h": 24}, ())
    say("")
    say("Try it on your own data:")
    say("  elman data FILE.csv                      what is understood of it")
    say("  elman train forecast FILE.csv --h 24     the same job on it")
    say(f"  elman train forecast {file} --h 48 --cell LSTM")


def _teach(lesson: Lesson, runs: Path) -> None:
    """Run a lesson, print what it printed, write its page and its notebook to a new folder."""
    say(f"Demonstration: {lesson.words}; under a minute.")
    start = time.perf_counter()
    taught = teach(lesson)
    for ran in taught.ran:
        if ran.printed.strip():
            result(ran.printed.rstrip() + "\n")
    folder = run_folder.new_run(runs, "demo", lesson.name)
    files.write_atomic(folder / run_folder.REPORT, page(taught).html().encode())
    book = f"{lesson.name}.ipynb"
    files.write_atomic(folder / book, notebook(taught).encode())
    seconds = time.perf_counter() - start
    say(f"Wrote {folder}{os.sep} in {seconds:.0f} s: {run_folder.REPORT}, {book}")
