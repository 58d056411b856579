"""Recurrences, one a file; `Cell` says what they are made of."""

from elman.cells.antisymmetric_rnn import AntisymmetricRNN
from elman.cells.cell import Cell
from elman.cells.cfc import CfC
from elman.cells.cornn import CoRNN
from elman.cells.gru import GRU
from elman.cells.gru_reset_before import GRUResetBefore
from elman.cells.grud import GRUD
from elman.cells.hgrn import HGRN
from elman.cells.indrnn import IndRNN
from elman.cells.layer_norm_gru import LayerNormGRU
from elman.cells.layer_norm_lstm import LayerNormLSTM
from elman.cells.ligru import LiGRU
from elman.cells.lookup import builtin, by_name
from elman.cells.lru import LRU
from elman.cells.lstm import LSTM
from elman.cells.mgu import MGU
from elman.cells.min_gru import MinGRU
from elman.cells.min_lstm import MinLSTM
from elman.cells.peephole_lstm import PeepholeLSTM
from elman.cells.rg_lru import RGLRU
from elman.cells.rnn import RNN
from elman.cells.rnn_relu import RNNReLU
from elman.cells.slstm import SLSTM
from elman.cells.sru import SRU

__all__ = [
    "GRU",
    "GRUD",
    "HGRN",
    "LRU",
    "LSTM",
    "MGU",
    "RGLRU",
    "RNN",
    "SLSTM",
    "SRU",
    "AntisymmetricRNN",
    "Cell",
    "CfC",
    "CoRNN",
    "GRUResetBefore",
    "IndRNN",
    "LayerNormGRU",
    "LayerNormLSTM",
    "LiGRU",
    "MinGRU",
    "MinLSTM",
    "PeepholeLSTM",
    "RNNReLU",
    "builtin",
    "by_name",
]
