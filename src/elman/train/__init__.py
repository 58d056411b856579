"""Training: `fit` runs the loop, keeps checkpoints and history, and resumes a killed run."""

from elman.train.loop import fit
from elman.train.prefetch import Batches
from elman.train.result import FitResult, TrainingDiverged
from elman.train.settings import FitSettings
from elman.train.truncation import truncated

__all__ = ["Batches", "FitResult", "FitSettings", "TrainingDiverged", "fit", "truncated"]
