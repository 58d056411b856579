"""Settings as flags: each field of a dataclass, with the words of its docstring."""

import dataclasses
import inspect
import re
import typing
from collections.abc import Callable
from types import NoneType
from typing import Annotated, Any, TypeVar

Command = TypeVar("Command", bound=Callable[..., Any])

NOT_GIVEN = object()
_BULLET = re.compile(r"^- ((?:`\w+`(?:, )?)+): (.*(?:\n  \S.*)*)", re.MULTILINE)


def descriptions(settings: type[Any]) -> dict[str, str]:
    """What docstrings say of each field, in bullets such as "- `h`: steps to forecast."."""
    found: dict[str, str] = {}
    for kind in reversed(settings.__mro__):
        for names, words in _BULLET.findall(inspect.cleandoc(kind.__doc__ or "")):
            text = " ".join(words.split()).replace("`", "")
            found |= dict.fromkeys(re.findall(r"`(\w+)`", names), text)
    return found


def with_flags(
    settings: type[Any],
    group: str,
    order: int,
    defaults: Any = None,
    words: dict[str, str] | None = None,
) -> Callable[[Command], Command]:
    """Give a command a flag for every field; those given arrive as keyword arguments.

    Args:
        settings: a dataclass whose docstring describes its fields.
        group: the heading in the help; `order` sorts headings.
        defaults: an instance whose values the help shows; by default, those of the fields.
        words: descriptions to use instead of the docstring's.
    """

    def give(command: Command) -> Command:
        signature = inspect.signature(command)
        parameters = list(signature.parameters.values())
        # What takes the flags is not itself one, in the last round it stays for Python alone.
        plain = [p for p in parameters if p.kind is not p.VAR_KEYWORD]
        flags = _parameters(settings, group, order, defaults, words or {})
        rest = [p for p in parameters if p.kind is p.VAR_KEYWORD]
        command.__signature__ = signature.replace(parameters=plain + flags + rest)  # type: ignore[attr-defined]
        return command

    return give


def finished(command: Command) -> Command:
    """Hide the `**given` of a command from the parser, once all its flags are there."""
    signature = inspect.signature(command)
    shown = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    command.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in shown}
    return command


def _parameters(
    settings: type[Any], group: str, order: int, defaults: Any, words: dict[str, str]
) -> list[inspect.Parameter]:
    from cyclopts import Group, Parameter

    types = typing.get_type_hints(settings)
    described = descriptions(settings) | words
    heading = Group(group, sort_key=order)
    found = []
    for field in dataclasses.fields(settings):
        text = described.get(field.name, "") + _default(field, types[field.name], defaults, words)
        listed = _listed(types[field.name])
        more: dict[str, Any] = {} if listed is None else {"converter": listed}
        flag = Parameter(help=text, show_default=False, group=heading, negative="", **more)
        kind = inspect.Parameter.KEYWORD_ONLY
        asked = types[field.name] if listed is None else str
        annotation: Any = Annotated.__class_getitem__((asked, flag))  # type: ignore[attr-defined]
        found.append(inspect.Parameter(field.name, kind, default=NOT_GIVEN, annotation=annotation))
    return found


def _listed(kind: Any) -> Callable[..., Any] | None:
    """For a tuple of any length, or None: what reads it from one word."""
    given = [one for one in typing.get_args(kind) if one is not NoneType]
    if len(given) == 1 and NoneType in typing.get_args(kind):
        kind = given[0]
    if typing.get_origin(kind) is not tuple or typing.get_args(kind)[-1] is not Ellipsis:
        return None
    return listed(typing.get_args(kind)[0])


def listed(each: Callable[[str], Any]) -> Callable[..., Any]:
    """What reads a list from one word, with commas; `none` and nothing are an empty one."""

    def convert(_: Any, tokens: Any) -> tuple[Any, ...]:
        words = [word.strip() for word in tokens[0].value.split(",")]
        return () if words in ([""], ["none"]) else tuple(each(word) for word in words)

    return convert


def _default(
    field: "dataclasses.Field[Any]", kind: Any, defaults: Any, words: dict[str, str]
) -> str:
    value: Any = field.default if defaults is None else getattr(defaults, field.name)
    nothing = value is dataclasses.MISSING or value is False or value in ("", None, ())
    if nothing or field.name in words:
        return ""
    many = isinstance(value, tuple)
    shown = ("," if _listed(kind) else " ").join(map(str, value)) if many else value
    return f" [default: {shown}]"
