"""Demonstrations fit for a lecture: each is a page and a notebook, made in under a minute."""

import importlib
import pkgutil

from elman.demo.lesson import Code, Lesson, Ran, Taught, Text, teach

__all__ = ["Code", "Lesson", "Ran", "Taught", "Text", "lessons", "teach"]


def lessons() -> dict[str, Lesson]:
    """Every lesson by name: of each module here that has a `LESSON`."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    modules = [importlib.import_module(f"elman.demo.{name}") for name in names]
    found = [module.LESSON for module in modules if hasattr(module, "LESSON")]
    return {lesson.name: lesson for lesson in found}
