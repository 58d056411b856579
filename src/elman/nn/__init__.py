"""Layers: any cell over sequences."""

from elman.nn.accelerate import accelerate
from elman.nn.builder import Builder
from elman.nn.causal import CausalConv1d
from elman.nn.decay import InputDecay
from elman.nn.dropin import GRU, LSTM, RNN
from elman.nn.dropin_cells import GRUCell, LSTMCell, RNNCell
from elman.nn.masks import Masks
from elman.nn.mogrifier import Mogrifier
from elman.nn.parametrise import orthogonal_, spectral_
from elman.nn.pooling import AttentionPool, Last, Pool, Pooling
from elman.nn.recurrent import Recurrent
from elman.nn.refused import CannotStore
from elman.nn.stepped import SteppedModule
from elman.nn.store import load, save

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "AttentionPool",
    "Builder",
    "CannotStore",
    "CausalConv1d",
    "GRUCell",
    "InputDecay",
    "LSTMCell",
    "Last",
    "Masks",
    "Mogrifier",
    "Pool",
    "Pooling",
    "RNNCell",
    "Recurrent",
    "SteppedModule",
    "accelerate",
    "load",
    "orthogonal_",
    "save",
    "spectral_",
]
