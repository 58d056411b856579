"""Tapes from their text and their JSON: strict, and checked before they are returned."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from elman_runtime.errors import refusal, shown
from elman_runtime.tape.check import MAX_INSTRUCTIONS, checked
from elman_runtime.tape.form import (
    HEADER,
    SECTIONS,
    TITLE,
    VERSION,
    Backward,
    Forward,
    Instruction,
    Operand,
    Section,
    Tape,
)

_LINE = re.compile(r"(\S{1,128}) = (\w{1,16})((?: \S{1,128}){1,128})")
_AGAIN = "store the model again with elman.save"
# Two halves of at most MAX_INSTRUCTIONS, and their titles.
_MAX_LINES = 2 * MAX_INSTRUCTIONS + 32


def from_json(value: Any, file: str = "tape") -> Tape:
    """The tape that `Tape.to_json` described; ModelFileError where a rule is broken."""
    keys = {"version", "name", *HEADER, "sections"}
    if not isinstance(value, Mapping) or set(value) != keys:
        came = shown(sorted(value)) if isinstance(value, Mapping) else shown(value)
        raise refusal(file, "tape", f"has the keys {sorted(keys)}", came, _AGAIN)
    if value["version"] != VERSION or isinstance(value["version"], bool):
        repair = "read it with the version of elman that wrote it, or a later one"
        raise refusal(file, "tape", f"version {VERSION}", shown(value["version"]), repair)
    sections = value["sections"]
    if not isinstance(sections, Mapping) or not set(sections) <= set(SECTIONS):
        came = shown(list(sections) if isinstance(sections, Mapping) else sections)
        raise refusal(file, "sections", f"are among {list(SECTIONS)}", came, _AGAIN)
    lines = {title: _strings(found, file, title) for title, found in sections.items()}
    header = {key: _strings(value[key], file, key) for key in HEADER}
    return _tape(value["name"], header, lines, file)


def from_text(text: str, file: str = "tape") -> Tape:
    """The tape that `str` wrote; ModelFileError where a rule is broken."""
    lines = text.splitlines()
    rule = f"begins with the lines '{TITLE} {VERSION}' and 'name ...'"
    if len(lines) < 2 or lines[0] != f"{TITLE} {VERSION}" or not lines[1].startswith("name "):
        raise refusal(file, "text", rule, shown(lines[:2]), _AGAIN)
    header: dict[str, tuple[str, ...]] = dict.fromkeys(HEADER, ())
    sections: dict[str, list[str]] = {}
    title = ""
    for number, line in enumerate(lines[2:], 3):
        key, _, rest = line.partition(" ")
        if line.startswith("  ") and title:
            sections[title].append(line[2:])
        elif line in SECTIONS:
            title = line
            sections[title] = []
        elif key in header and rest and not title:
            header[key] = tuple(rest.split(" "))
        else:
            rule = "is a header, the title of a section, or indented by two spaces"
            raise refusal(file, f"line {number}", rule, shown(line), _AGAIN)
    written = {title: tuple(found) for title, found in sections.items()}
    tape = _tape(lines[1].removeprefix("name "), header, written, file)
    if str(tape) != text:
        raise refusal(file, "text", "each tape has one spelling", "another", "write str(tape)")
    return tape


def _strings(value: Any, file: str, place: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
        raise refusal(file, place, "a list of strings", shown(value), _AGAIN)
    if len(value) > _MAX_LINES:
        raise refusal(file, place, f"at most {_MAX_LINES} entries", str(len(value)), _AGAIN)
    return tuple(value)


def _tape(
    name: Any, header: Mapping[str, Any], lines: Mapping[str, tuple[str, ...]], file: str
) -> Tape:
    halves: dict[str, dict[str, Section]] = {"forward": {}, "backward": {}}
    for title, found in lines.items():
        half, field = SECTIONS[title]
        halves[half][field] = tuple(
            _instruction(line, file, f"{title} instruction {k}") for k, line in enumerate(found)
        )
    # A cell has states, so its backward half cannot be empty.
    backward = Backward(**halves["backward"]) if any(halves["backward"].values()) else None
    return checked(
        Tape(name, **header, forward=Forward(**halves["forward"]), backward=backward), file
    )


def _instruction(line: str, file: str, place: str) -> Instruction:
    found = _LINE.fullmatch(line)
    if found is None:
        raise refusal(file, place, "is 'place = op operand ...'", shown(line), _AGAIN)
    operand = _operands(file, place)
    return Instruction(found[2], found[1], tuple(map(operand, found[3][1:].split(" "))))


def _operands(file: str, place: str) -> Callable[[str], Operand]:
    def operand(text: str) -> Operand:
        if text[0] not in "-0123456789":
            return text
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or repr(value) != text:
            rule = "numbers are finite, and spelled as Python's repr spells them"
            raise refusal(file, place, rule, shown(text), _AGAIN)
        return value

    return operand
