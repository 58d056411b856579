"""Models in the formats of other runtimes."""

from elman.export.onnx_model import onnx

__all__ = ["onnx"]
