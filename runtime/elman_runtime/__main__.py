"""`python -m elman_runtime stream MODEL < in > out`, and `generate MODEL`: no torch needed."""

import argparse
import os
import sys

from elman_runtime import generate
from elman_runtime.stream_lines import command


def main() -> int:
    """Run a command; the exit status. A mistake of the caller's is said, without a traceback."""
    parser = argparse.ArgumentParser(prog="python -m elman_runtime", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name, words, verb in (
        ("stream", "feed standard input to a model row by row, and write its outputs", command),
        ("generate", "print the text that a language model writes", generate),
    ):
        verb.add_arguments(verbs.add_parser(name, help=words, description=words))
    given = parser.parse_args()
    try:
        return command.stream(given) if given.verb == "stream" else generate.generate(given)
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
