"""Recurrences, one a file; `Cell` says what they are made of."""

from elman.cells.cell import Cell
from elman.cells.gru import GRU
from elman.cells.lookup import builtin, by_name
from elman.cells.lstm import LSTM
from elman.cells.rnn import RNN
from elman.cells.rnn_relu import RNNReLU

__all__ = ["GRU", "LSTM", "RNN", "Cell", "RNNReLU", "builtin", "by_name"]
