"""The command line."""

from elman.cli.main import main

__all__ = ["main"]
