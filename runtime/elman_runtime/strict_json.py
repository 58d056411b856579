"""JSON that means the same to every reader: bounded, finite, without duplicate keys."""

import json
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from elman_runtime.errors import ModelFileError, refusal, shown

# Deeper than any real settings or program, shallower than any recursion limit.
MAX_DEPTH = 64

_NOT_STRUCTURE = bytes(set(range(256)) - set(b'"[]{}'))
_SURROGATE = re.compile(rb"\\u[dD]")
_DAMAGED = "store it again with elman.save; a copy may have been damaged"


def parse(text: bytes, file: str, place: str) -> Any:
    """The value of `text` (UTF-8); ModelFileError where a rule is broken."""
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError as error:
        came = f"byte 0x{text[error.start]:02x} at {error.start}"
        raise refusal(file, place, "must be UTF-8", came, _DAMAGED) from None
    _check_depth(text, file, place)
    try:
        value = _decoder(file, place).decode(decoded)
        if _SURROGATE.search(text):  # a lone one is no text: encoding it is a ValueError
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        return value
    except ModelFileError:
        raise
    except ValueError as error:
        raise refusal(file, place, "must be JSON", f"an error: {error}", _DAMAGED) from None


def canonical(value: Any, file: str, place: str) -> bytes:
    """The one spelling of `value`: sorted keys, no spaces, UTF-8.

    `value`: dict with str keys, list or tuple, str, int, finite float, bool, None.
    """
    _check_value(value, file, place, 0)
    return spelled(value, file, place)


def spelled(value: Any, file: str, place: str) -> bytes:
    """`canonical` of what `parse` returned, which has been checked."""
    try:
        text = json.dumps(
            value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")
        )
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        came = shown(error.object[error.start : error.end])
        raise refusal(file, place, "must be text", came, "remove lone surrogates") from None
    except ValueError as error:  # an integer with more digits than Python prints
        raise refusal(file, place, "must be JSON", str(error), "use smaller numbers") from None


def _check_depth(text: bytes, file: str, place: str) -> None:
    """Before parsing: a parser that recurses could exhaust the stack.

    A few passes at the speed of memory, whatever the text; right up to where it stops being
    JSON, which is as far as the parser goes.
    """
    # Without escaped backslashes, then escaped quotes, each quote opens or closes a string.
    bare = text.replace(rb"\\", b"").replace(rb"\"", b"").translate(None, _NOT_STRUCTURE)
    marks = np.frombuffer(bare, np.uint8)
    in_string = (marks == ord('"')).cumsum(dtype=np.uint8) & 1  # wraps; its parity stays right
    opening = (marks == ord("[")) | (marks == ord("{"))
    closing = (marks == ord("]")) | (marks == ord("}"))
    steps = (opening.astype(np.int8) - closing) * (1 - in_string.astype(np.int8))
    if steps.cumsum(dtype=np.int32).max(initial=0) > MAX_DEPTH:
        rule = f"at most {MAX_DEPTH} levels of brackets"
        raise refusal(file, place, rule, "a deeper one", _DAMAGED)


def _decoder(file: str, place: str) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=_pairs(file, place),
        parse_constant=_constant(file, place),
        parse_float=_float(file, place),
    )


def _pairs(file: str, place: str) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    def hook(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            left = found.copy()
            twice = next(key for key, _ in pairs if left.pop(key, pairs) is pairs)
            raise refusal(file, place, "keys are unique", f"{shown(twice)} twice", _DAMAGED)
        return found

    return hook


def _constant(file: str, place: str) -> Callable[[str], Any]:
    def hook(name: str) -> Any:
        raise refusal(file, place, "numbers are finite", name, "store null or a number instead")

    return hook


def _float(file: str, place: str) -> Callable[[str], float]:
    def hook(digits: str) -> float:
        value = float(digits)
        if math.isinf(value):
            repair = "store null or a smaller number instead"
            raise refusal(file, place, "numbers fit in 64 bits", shown(digits), repair)
        return value

    return hook


def _check_value(value: Any, file: str, place: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        rule = f"at most {MAX_DEPTH} levels of lists and dicts"
        raise refusal(file, place, rule, "a deeper one", "store something flatter")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise refusal(file, place, "keys are str", shown(key), "convert it with str()")
            _check_value(item, file, f"{place}.{key:.40}", depth + 1)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _check_value(item, file, f"{place}[{index}]", depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise refusal(file, place, "numbers are finite", str(value), "store null or a number")
    elif not isinstance(value, str | int | float | None):
        rule = "values are dict, list, tuple, str, int, float, bool or None"
        came = f"{type(value).__name__} {shown(value)}"
        raise refusal(file, place, rule, came, "convert it with int(), float() or .tolist()")
