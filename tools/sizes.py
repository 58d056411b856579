"""Keep files and functions small enough to read: part of `make check`.

Files over 400 lines and functions over 50 (docstring not counted) fail.
"""

import ast
import pathlib
import subprocess
import sys

FILE_LINES = 400
FUNCTION_LINES = 50
# A task is read top to bottom on a page.
TASK_LINES = 250


def docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    doc = ast.get_docstring(node, clean=False)
    return doc.count("\n") + 1 if doc else 0


def too_long(path: pathlib.Path) -> list[str]:
    text = path.read_text()
    lines = text.count("\n")
    limit = TASK_LINES if path.match("src/elman/tasks/*.py") else FILE_LINES
    found = [f"{path}: {lines} lines, at most {limit}"] if lines > limit else []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno + 1 - docstring_lines(node)
            if size > FUNCTION_LINES:
                found.append(f"{path}:{node.lineno}: {node.name} is {size} lines, at most 50")
    return found


def main() -> int:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [pathlib.Path(name) for name in listed.stdout.split()]
    found = [row for path in paths if path.exists() for row in too_long(path)]
    print("\n".join(found) if found else f"sizes: {len(paths)} files within their limits")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
