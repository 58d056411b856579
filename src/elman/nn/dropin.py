"""`torch.nn.RNN`, `LSTM` and `GRU` with lengths, reset and a choice of engine."""

from torch import nn

from elman.nn.dropin_base import DropIn

__all__ = ["GRU", "LSTM", "RNN"]


class RNN(DropIn, nn.RNN):
    """Elman network: `torch.nn.RNN`, with `lengths` and `reset`, in the engine of choice.

    Arguments, initialisation, names, layouts and numbers are those of `torch.nn.RNN`; it is one.

    Example:
        >>> import torch, elman
        >>> layer = elman.nn.RNN(3, 5, nonlinearity="relu", batch_first=True)
        >>> y, h = layer(torch.randn(2, 7, 3), lengths=[7, 4])
        >>> y.shape, h.shape, bool((y[1, 4:] == 0).all())
        (torch.Size([2, 7, 5]), torch.Size([1, 2, 5]), True)
    """


class LSTM(DropIn, nn.LSTM):
    """LSTM: `torch.nn.LSTM`, with `lengths` and `reset`, in the engine of choice.

    Arguments, initialisation, names, layouts and numbers are those of `torch.nn.LSTM`; it is one.

    Example:
        >>> import torch, elman
        >>> layer = elman.nn.LSTM(3, 5, bidirectional=True)
        >>> y, (h, c) = layer(torch.randn(7, 2, 3), lengths=[4, 7])
        >>> y.shape, h.shape, c.shape
        (torch.Size([7, 2, 10]), torch.Size([2, 2, 5]), torch.Size([2, 2, 5]))
    """


class GRU(DropIn, nn.GRU):
    """GRU: `torch.nn.GRU`, with `lengths` and `reset`, in the engine of choice.

    Arguments, initialisation, names, layouts and numbers are those of `torch.nn.GRU`; it is one.

    Example:
        >>> import torch, elman
        >>> layer = elman.nn.GRU(3, 5, batch_first=True)
        >>> reset = torch.zeros(2, 7, dtype=torch.bool)
        >>> reset[0, 3] = True  # row 0 holds two documents
        >>> with elman.engine.use("reference"):
        ...     y, h = layer(torch.randn(2, 7, 3), reset=reset)
        >>> y.shape
        torch.Size([2, 7, 5])
    """
