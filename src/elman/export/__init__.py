"""Models in the formats of other runtimes."""

from elman.export.onnx_model import onnx
from elman.export.states import register_states

__all__ = ["onnx", "register_states"]
