"""Model files, read, written and run with NumPy alone: neither torch nor elman is imported."""

from typing import TYPE_CHECKING, Any

from elman_runtime import files, model_file, native, tape
from elman_runtime.errors import ModelFileError

if TYPE_CHECKING:
    from elman_runtime import program
    from elman_runtime.model import Model, load, write_model
    from elman_runtime.pool import StreamPool
    from elman_runtime.snapshot import SnapshotError
    from elman_runtime.stream import Stream

__version__ = "0.1.0"

__all__ = [
    "Model",
    "ModelFileError",
    "SnapshotError",
    "Stream",
    "StreamPool",
    "__version__",
    "files",
    "load",
    "model_file",
    "native",
    "program",
    "tape",
    "write_model",
]

_LATER = {
    "Model": "model",
    "SnapshotError": "snapshot",
    "Stream": "stream",
    "StreamPool": "pool",
    "load": "model",
    "program": "",
    "write_model": "model",
}
"""Name -> the module that has it, imported when it is first asked for: training needs none."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    if not _LATER[name]:
        return import_module(f"{__name__}.{name}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
