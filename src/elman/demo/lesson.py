"""A lesson: text and code in turn, one source for an HTML page and for a notebook."""

import ast
import contextlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from elman.report.shown import Shown


@dataclass(frozen=True)
class Text:
    """Markdown: paragraphs, `code`, and a heading where a line begins with ##."""

    text: str


@dataclass(frozen=True)
class Code:
    """Python that is run, and shown with what it prints; its last expression is shown too."""

    text: str


@dataclass(frozen=True)
class Lesson:
    """A demonstration for a lecture.

    - `name`: on the command line; `title`: on the page.
    - `words`: what it shows, in half a line.
    - `parts`: in order. The first code sets how much is done: plain assignments of numbers.
    - `least`: values of these numbers with which it is over in seconds, and shows little.
    """

    name: str
    title: str
    words: str
    parts: tuple[Text | Code, ...]
    least: Mapping[str, Any] = field(default_factory=dict)

    @property
    def code(self) -> tuple[Code, ...]:
        """The parts that are run."""
        return tuple(part for part in self.parts if isinstance(part, Code))


@dataclass(frozen=True)
class Ran:
    """What came of a piece of code: what it printed, and its pictures."""

    printed: str
    pictures: tuple[Shown, ...] = ()


@dataclass(frozen=True)
class Taught:
    """A lesson that was run: `ran` has what came of each piece of code, in order."""

    lesson: Lesson
    ran: tuple[Ran, ...]


def teach(lesson: Lesson, changes: Mapping[str, Any] | None = None) -> Taught:
    """Run a lesson's code, on one thread, and keep what it shows.

    Args:
        changes: values for names that its first code sets, such as `lesson.least`.

    Raises:
        ValueError: the first code sets no such name.
    """
    namespace: dict[str, Any] = {"__name__": f"elman_demo_{lesson.name}"}
    found: list[Ran] = []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            for k, part in enumerate(lesson.code):
                found.append(_run(part, namespace, f"{lesson.name}, code {k + 1}"))
                if not k:
                    _change(namespace, changes or {})
    finally:
        torch.set_num_threads(threads)
    return Taught(lesson, tuple(found))


def _change(namespace: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for name, value in changes.items():
        if name not in namespace:
            known = ", ".join(key for key in namespace if not key.startswith("_"))
            raise ValueError(f"changes: must be among {known}; got {name!r}; choose one")
        namespace[name] = value


def _run(part: Code, namespace: dict[str, Any], name: str) -> Ran:
    tree = ast.parse(part.text, name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed = io.StringIO()
    pictures: list[Shown] = []
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, name, "exec"), namespace)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), name, "eval"), namespace)
            if isinstance(value, Shown):
                pictures.append(value)
            elif value is not None:
                print(repr(value))
    return Ran(printed.getvalue(), tuple(pictures))
