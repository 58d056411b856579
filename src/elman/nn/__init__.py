"""Layers: any cell over sequences."""

from elman.nn.masks import Masks
from elman.nn.recurrent import Recurrent
from elman.nn.stepped import SteppedModule
from elman.nn.store import load, save

__all__ = ["Masks", "Recurrent", "SteppedModule", "load", "save"]
