"""Model files, read, written and run with NumPy alone: neither torch nor elman is imported."""

from elman_runtime import files, model_file, native, tape
from elman_runtime.errors import ModelFileError

__version__ = "0.1.0"

__all__ = ["ModelFileError", "__version__", "files", "model_file", "native", "tape"]
