"""`elman demo`: a task on data that comes along."""

from pathlib import Path

from elman.cli import forecast_command
from elman.cli.console import result, say
from elman.data import DEMO_FILES, demo_file

_DEMOS = {"forecast": "hourly temperatures of three airports, 24 hours ahead; about a minute"}


def demo(name: str, runs: Path) -> None:
    """Run a demonstration, or list them.

    Raises:
        ValueError: there is none of that name.
    """
    if not name:
        result("\n".join(f"elman demo {key:<10} {words}" for key, words in _DEMOS.items()))
        return
    file = demo_file(name)
    say(f"Demonstration: {_DEMOS[name]}. Data: {DEMO_FILES[name]}, comes with elman.")
    say()
    forecast_command.train(file, forecast_command.RunSettings(runs), {"h": 24}, ())
    say("")
    say("Try it on your own data:")
    say("  elman data FILE.csv                      what is understood of it")
    say("  elman train forecast FILE.csv --h 24     the same job on it")
    say(f"  elman train forecast {file} --h 48 --cell LSTM")
