"""A lesson as a notebook: JSON of nbformat 4.5, with what came of each cell."""

import base64
import json
from collections.abc import Iterator
from typing import Any

from elman.demo.lesson import Code, Lesson, Ran, Taught

_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "file_extension": ".py"},
}


def notebook(taught: Taught) -> str:
    """The text of an .ipynb file."""
    whole = {
        "cells": list(_cells(taught.lesson, taught.ran)),
        "metadata": _METADATA,
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _cells(lesson: Lesson, ran: tuple[Ran, ...]) -> Iterator[dict[str, Any]]:
    yield _markdown("title", f"# {lesson.title}")
    count = 0
    for k, part in enumerate(lesson.parts):
        if isinstance(part, Code):
            yield _code(f"part-{k}", part, ran[count], count + 1)
            count += 1
        else:
            yield _markdown(f"part-{k}", part.text.strip())


def _markdown(name: str, text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": _lines(text)}


def _code(name: str, part: Code, ran: Ran, number: int) -> dict[str, Any]:
    outputs: list[dict[str, Any]] = []
    if ran.printed:
        outputs.append({"output_type": "stream", "name": "stdout", "text": _lines(ran.printed)})
    for picture in ran.pictures:
        data = {"image/png": base64.b64encode(picture._repr_png_()).decode("ascii")}
        outputs.append({"output_type": "display_data", "data": data, "metadata": {}})
    return {
        "cell_type": "code",
        "id": name,
        "metadata": {},
        "execution_count": number,
        "source": _lines(part.text.strip()),
        "outputs": outputs,
    }


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)
