"""`python -m elman_runtime stream`, `generate`, `classify` or `translate MODEL`: without torch."""

import argparse
import os
import sys

from elman_runtime import classify, generate, translate
from elman_runtime.stream_lines import command


def main() -> int:
    """Run a command; the exit status. A mistake of the caller's is said, without a traceback."""
    parser = argparse.ArgumentParser(prog="python -m elman_runtime", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name, words, module, run in (
        ("stream", "feed a model row by row, and write its outputs", command, command.stream),
        ("generate", "print the text that a model writes", generate, generate.generate),
        ("classify", "judge the texts on standard input", classify, classify.classify),
        ("translate", "translate standard input line by line", translate, translate.run),
    ):
        verb = verbs.add_parser(name, help=words, description=words)
        module.add_arguments(verb)
        verb.set_defaults(run=run)
    given = parser.parse_args()
    try:
        return int(given.run(given))
    except BrokenPipeError:
        # The reader has had enough (head); what Python flushes at exit must go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except (ValueError, TypeError, OSError, ImportError) as error:
        plain = isinstance(error, OSError) and error.strerror and error.filename is None
        command.say(str(error.strerror if plain else error))  # type: ignore[union-attr]  # as asked
        return 2


if __name__ == "__main__":
    sys.exit(main())
