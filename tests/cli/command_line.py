"""The command line as tests call it."""

import pytest

from elman.cli import main


def elman(*words, cells=()):
    """What a command exits with."""
    with pytest.raises(SystemExit) as end:
        main(cells, [str(word) for word in words])
    return end.value.code
