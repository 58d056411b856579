"""Stopped by Ctrl-C, with what to do next."""


class Interrupted(Exception):
    """The user stopped a run; the message says how to go on."""
