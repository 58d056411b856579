"""The one error of stored models, and how it is worded."""

import reprlib

_SHOWN = reprlib.Repr()
_SHOWN.maxstring = _SHOWN.maxother = 80
_SHOWN.maxlong = 40


class ModelFileError(ValueError):
    """A model file, or what was to be stored in one, breaks a rule of the format.

    The message names the file, the place in it, the rule, what came, and the repair.
    """


def shown(value: object) -> str:
    """`repr`, bounded: what came may be hostile and long."""
    return _SHOWN.repr(value)


def refusal(file: str, place: str, rule: str, came: str, repair: str) -> ModelFileError:
    """The error to raise; `rule` and `came` are clauses, `repair` an imperative."""
    return ModelFileError(f"{file}: {place}: {rule}; got {came}; {repair}")
