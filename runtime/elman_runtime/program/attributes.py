"""What the attributes of nodes may be: each check says what is due, or "" of a value that is right.

Nothing of an attribute is trusted: `True` is no number, and an integer may have any size.
"""

from collections.abc import Callable
from typing import Any

FLOAT32_MAX = 3.4028234663852886e38


def integer(least: int) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        good = type(value) is int and least <= value < 1 << 31
        return "" if good else f"an integer from {least}, below 2**31"

    return check


def number(value: Any) -> str:
    good = type(value) in (int, float) and -FLOAT32_MAX <= value <= FLOAT32_MAX
    return "" if good else "a number that float32 can hold"


def not_negative(value: Any) -> str:
    return number(value) or ("" if value >= 0 else "a number from 0")


def truth(value: Any) -> str:
    return "" if type(value) is bool else "true or false"


def one_of(*words: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        return "" if type(value) is str and value in words else f"one of {', '.join(words)}"

    return check


def sizes(value: Any) -> str:
    good = isinstance(value, list | tuple) and len(value) <= 8
    wrong = [v for v in value if integer(1)(v)] if good else [value]
    return "at most 8 integers from 1" if wrong else ""


def shares(value: Any) -> str:
    good = isinstance(value, list | tuple) and len(value) <= 64
    wrong = [v for v in value if number(v) or not 0 <= v <= 1] if good else [value]
    return "numbers from 0 to 1, one for each state" if wrong else ""
