"""Layers: any cell over sequences."""

from elman.nn.accelerate import accelerate
from elman.nn.decay import InputDecay
from elman.nn.dropin import GRU, LSTM, RNN
from elman.nn.dropin_cells import GRUCell, LSTMCell, RNNCell
from elman.nn.masks import Masks
from elman.nn.mogrifier import Mogrifier
from elman.nn.recurrent import Recurrent
from elman.nn.stepped import SteppedModule
from elman.nn.store import load, save

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "GRUCell",
    "InputDecay",
    "LSTMCell",
    "Masks",
    "Mogrifier",
    "RNNCell",
    "Recurrent",
    "SteppedModule",
    "accelerate",
    "load",
    "save",
]
