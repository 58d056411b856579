"""Tasks that need a long memory: their data, drawn anew for each batch, and what is scored.

A batch is a function of (seed, k) alone. Training draws from the seed of the run, validation and
test from seeds of their own; of MNIST, the last 5,000 training images are the validation.
"""

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

Batch = tuple[Tensor, Tensor]
VALIDATION, TEST = 10**6, 10**6 + 1
SYMBOLS, WORD = 8, 10
GOALS = {"adding": 1e-3, "copying": 0.0, "sequential": 0.03, "permuted": 0.08}
"""By the first word of a task: what the score must come to."""


@dataclass(frozen=True)
class Task:
    """A task.

    - `length`: steps; `inputs`: numbers a step; `outputs`: numbers that the network says.
    - `read`: how many of the last steps it says them at.
    - `rows`: of a batch in training.
    - `goal`: what `score` must come to; validation is held to a stricter one, `stop`.
    - `batch(seed, k, rows)`: k-th batch of a seed.
    - `whole(seed)`: all that is scored, for validation and test, in batches.
    """

    name: str
    length: int
    inputs: int
    outputs: int
    read: int
    rows: int
    goal: float
    stop: float
    score_name: str
    batch: Callable[[int, int, int], Batch]
    whole: Callable[[int], list[Batch]]

    def loss(self, model: nn.Module, batch: Batch, _: Any = None) -> tuple[Tensor, None]:
        """Mean squared error of a number, cross-entropy of classes."""
        x, y = batch
        said = model(x)
        if y.is_floating_point():
            return nn.functional.mse_loss(said.flatten(), y), None
        return nn.functional.cross_entropy(said.flatten(0, -2), y.flatten()), None

    @torch.no_grad()
    def score(self, model: nn.Module, seed: int) -> float:
        """What the table shows, to be minimised: mean squared error, or share of wrong rows."""
        wrong, rows = 0.0, 0
        for x, y in self.whole(seed):
            said = model(x)
            if y.is_floating_point():
                wrong += float((said.flatten() - y).square().sum())
            else:
                right = said.argmax(-1).view(len(y), -1) == y.view(len(y), -1)
                wrong += float((~right.all(1)).sum())
            rows += len(y)
        return wrong / rows


class Draws:
    """`batches` of `elman.train.fit`: an epoch is 100 of them."""

    def __init__(self, task: Task, seed: int) -> None:
        self.task, self.seed = task, seed

    def __len__(self) -> int:
        return 100

    def __getitem__(self, k: int) -> Batch:
        return self.task.batch(self.seed, k, self.task.rows)


def _generator(seed: int, k: int) -> torch.Generator:
    return torch.Generator().manual_seed(
        int(np.random.SeedSequence([seed, k]).generate_state(1)[0])
    )


def _drawn(batch: Callable[[int, int, int], Batch], rows: int) -> Callable[[int], list[Batch]]:
    """A thousand rows."""
    return lambda seed: [batch(seed, k, rows) for k in range(1000 // rows)]


def adding(length: int) -> Task:
    """Two of the numbers are marked, one in each half: what is their sum?

    Hochreiter and Schmidhuber (1997), with the marks of Le, Jaitly and Hinton (2015). Saying 1
    whatever comes has an error of 1/6.
    """

    def batch(seed: int, k: int, rows: int) -> Batch:
        generator, half = _generator(seed, k), length // 2
        values, marks = torch.rand(rows, length, generator=generator), torch.zeros(rows, length)
        first = torch.randint(0, half, (rows, 1), generator=generator)
        second = torch.randint(half, length, (rows, 1), generator=generator)
        marks.scatter_(1, first, 1.0).scatter_(1, second, 1.0)
        return torch.stack([values, marks], -1), (values * marks).sum(1)

    rows = 50 if length < 2000 else 32
    return Task(
        f"adding {length}", length, 2, 1, 1, rows, GOALS["adding"], 7e-4, "MSE", batch,
        _drawn(batch, 100),
    )  # fmt: skip


def copying(lag: int) -> Task:
    """Ten symbols of eight, `lag` steps of nothing, a sign: say the ten symbols.

    Hochreiter and Schmidhuber (1997), as in Arjovsky, Shah and Bengio (2016). Scored is the share
    of rows in which any of the ten is wrong; what is said before the sign is not.
    """
    length = lag + 2 * WORD

    def batch(seed: int, k: int, rows: int) -> Batch:
        word = torch.randint(0, SYMBOLS, (rows, WORD), generator=_generator(seed, k))
        x = torch.zeros(rows, length, SYMBOLS + 1)
        x[:, :WORD].scatter_(2, word[..., None], 1.0)
        x[:, lag + WORD - 1, SYMBOLS] = 1.0
        return x, word

    return Task(
        f"copying {lag}", length, SYMBOLS + 1, SYMBOLS, WORD, 32, GOALS["copying"], 0.0,
        "wrong rows", batch, _drawn(batch, 100),
    )  # fmt: skip


def mnist(folder: Path, permuted: bool) -> Task:
    """Images of digits, one pixel a step, from the top left; or in one fixed random order."""
    order = np.random.default_rng(0).permutation(784) if permuted else np.arange(784)
    images, labels = _images(folder, "train", order)
    last = len(labels) - 5000

    def batch(seed: int, k: int, rows: int) -> Batch:
        epoch, at = divmod(k, last // rows)
        found = torch.randperm(last, generator=_generator(seed, epoch))[at * rows : (at + 1) * rows]
        return images[found], labels[found]

    def whole(seed: int) -> list[Batch]:
        x, y = (images[last:], labels[last:])
        if seed == TEST:
            x, y = _images(folder, "t10k", order)
        return list(zip(x.split(250), y.split(250), strict=True))

    kind = "permuted" if permuted else "sequential"
    return Task(
        f"{kind} MNIST", 784, 1, 10, 1, 50, GOALS[kind], 0.01, "wrong rows", batch, whole
    )  # fmt: skip


def _images(folder: Path, part: str, order: np.ndarray[Any, Any]) -> Batch:
    """Pixels (N, 784, 1) about 0, and digits (N, 1)."""
    pixels = _idx(folder / f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, 784)[:, order]
    x = torch.from_numpy(pixels.astype(np.float32) / 255 - 0.1307) / 0.3081
    labels = _idx(folder / f"{part}-labels-idx1-ubyte.gz", 8)
    return x[..., None], torch.from_numpy(labels.astype(np.int64))[:, None]


def _idx(path: Path, header: int) -> np.ndarray[Any, Any]:
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header)
