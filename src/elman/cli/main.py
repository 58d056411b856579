"""`elman`: every verb, and what is said when something goes wrong."""

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NoReturn

from elman.cells import Cell
from elman.cli.app import build_app
from elman.cli.console import say
from elman.cli.interrupted import Interrupted

if TYPE_CHECKING:
    from cyclopts import App


def main(cells: Iterable[type[Cell]] = (), argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line, and exit.

    0: done. 1: `doctor` found an illness. 2: a mistake that the message repairs. 130: stopped.

    Args:
        cells: your own cells, known by name to every verb, so that a script of two lines is the
            whole command line with them.
        argv: arguments; those of the process by default.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    raise SystemExit(_run([word for word in words if word != "--debug"], tuple(cells), debug))


def _run(words: list[str], cells: tuple[type[Cell], ...], debug: bool) -> int:
    from cyclopts import CycloptsError

    app = build_app(cells)
    try:
        app(words, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except CycloptsError as error:
        say(f"elman: {error}")
        say(f"See: {' '.join(['elman', *_verbs(app, words)])} --help")
        return 2
    except Interrupted as error:
        say(str(error))
        return 130
    except KeyboardInterrupt:
        say("elman: stopped")
        return 130
    except BrokenPipeError:
        # The reader has had enough (head); what Python flushes at exit must go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, TypeError, OSError, RuntimeError, ImportError) as error:
        if debug:
            raise
        say(f"elman: {_message(error)}")
        return 2
    return 0


def _message(error: Exception) -> str:
    """What an error says, without "[Errno 2]" where its words say all."""
    if isinstance(error, OSError) and error.strerror and error.filename is None:
        return error.strerror
    return str(error)


def _verbs(app: "App", words: list[str]) -> list[str]:
    """The verb and the task at the start of a command."""
    found: list[str] = []
    for word in words:
        if word.startswith("-") or word not in app:
            break
        found.append(word)
        app = app[word]
    return found
