"""Batches of examples of about equal lengths."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from elman.data.mapped import shuffled
from elman.tasks.classifying.held import Encoded, lengths_of
from elman.tasks.classifying.reader import targets
from elman_runtime.lexicon import shortened

_POOL = 50  # batches whose examples are put in order of length together
_STEPS, _ROWS = 1 << 14, 256  # in a batch that is only judged


class Batch(NamedTuple):
    """Examples (B, T) or (B, T, W), their lengths (B,), and classes (B,) or flags (B, C)."""

    x: Tensor
    lengths: Tensor
    y: Tensor


class Bunches:
    """Micro-batches of the training part; an epoch has every example once, drawn anew each time.

    Examples of about the same length stand together, so that there is little padding.

    Args:
        flags: which classes each example has, (N, C); several: whether there may be several.
        rows: of a batch. longest: steps of an example at most, of its beginning and its end.
    """

    def __init__(
        self, encoded: Encoded, flags: Any, several: bool, rows: int, seed: int, longest: int
    ) -> None:
        self._encoded, self._longest = encoded, longest
        self._flags, self._several = flags, several
        self._rows, self._seed = rows, seed
        self._sizes = lengths_of(encoded)
        self._epoch = -1
        self._plan = self._turns = np.zeros(0, np.int64)

    def __len__(self) -> int:
        return -(-len(self._encoded) // self._rows)

    def __getitem__(self, k: int) -> Batch:
        epoch, at = divmod(k, len(self))
        if epoch != self._epoch:
            self._epoch = epoch
            self._plan, self._turns = self._planned(epoch)
        start = int(self._turns[at]) * self._rows
        index = self._plan[start : start + self._rows]
        rows = [shortened(self._encoded[one], self._longest) for one in index.tolist()]
        x, lengths = padded(rows)
        y = targets(self._flags[index], self._several)
        return Batch(x, lengths, torch.from_numpy(y))

    def _planned(self, epoch: int) -> tuple[Any, Any]:
        """The examples in order, a batch after another, and the turns in which batches come."""
        draw = np.random.Generator(np.random.Philox(key=[self._seed, 1], counter=epoch))
        order = shuffled(len(self._encoded), draw)
        pool = _POOL * self._rows
        for k in range(0, len(order), pool):
            some = order[k : k + pool]
            sizes = np.minimum(self._sizes[some], self._longest)
            order[k : k + pool] = some[np.argsort(sizes, kind="stable")]
        return order, shuffled(len(self), draw)


def padded(rows: Encoded) -> tuple[Tensor, Tensor]:
    """Examples side by side, (B, T) or (B, T, W) with T at least 1, and their lengths (B,)."""
    lengths = np.asarray([len(one) for one in rows], np.int64)
    like = rows[0]
    x = np.zeros((len(rows), max(1, int(lengths.max())), *like.shape[1:]), like.dtype)
    for row, one in enumerate(rows):
        x[row, : len(one)] = one
    return torch.from_numpy(x), torch.from_numpy(lengths)


@torch.no_grad()
def logits_of(model: nn.Module, encoded: Encoded, classes: int) -> Any:
    """Logits (N, C), float64, of every example, read whole."""
    model = model.eval()
    found = np.zeros((len(encoded), classes))
    sizes = lengths_of(encoded)
    order = np.argsort(sizes, kind="stable")
    start = 0
    while start < len(order):
        stop = _stop(sizes[order[start : start + _ROWS]])
        index = order[start : start + stop]
        x, lengths = padded([encoded[k] for k in index])
        found[index] = model(x, lengths).double().numpy()
        start += stop
    return found


def _stop(sizes: Any) -> int:
    """How many examples are in a batch, of those next in length: so many steps with padding."""
    steps = sizes.astype(np.int64) * np.arange(1, len(sizes) + 1)
    fits = steps <= _STEPS
    fits[0] = True
    return len(fits) if fits.all() else int(fits.argmin())
