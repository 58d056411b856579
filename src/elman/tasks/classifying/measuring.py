"""How good probabilities are: accuracy, F1, AUROC, log loss, calibration; and the temperature."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
_BINS = 15
_TEMPERATURES = np.exp(np.linspace(np.log(0.05), np.log(20.0), 241))


@dataclass(frozen=True)
class Scores:
    """Of a method on a part.

    - `accuracy`: share that is right; with several labels, share whose labels are all right.
    - `f1`: macro: the mean over the classes of the harmonic mean of precision and recall.
    - `auroc`: area under the curve of hits against false alarms, the mean over the classes that
      occur and do not always; None where there is none.
    - `loss`: nats a label.
    - `calibration`: expected calibration error: how far probabilities are from the share that is
      right, in 15 bins.
    - `count`: examples.
    """

    accuracy: float
    f1: float
    auroc: float | None
    loss: float
    calibration: float
    count: int

    def value(self, metric: str) -> float:
        """A score, the larger the better; a loss comes negative, an AUROC that is none as 0.5."""
        if metric == "loss":
            return -self.loss
        found = getattr(self, metric)
        return 0.5 if found is None else float(found)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @staticmethod
    def from_dict(stored: dict[str, Any]) -> "Scores":
        """The opposite of `as_dict`."""
        auroc = None if stored["auroc"] is None else float(stored["auroc"])
        names = ("accuracy", "f1", "loss", "calibration")
        accuracy, f1, loss, calibration = (float(stored[name]) for name in names)
        found = Scores(accuracy, f1, auroc, loss, calibration, int(stored["count"]))
        if not (0 <= found.accuracy <= 1 and found.count > 0 and np.isfinite(found.loss)):
            raise ValueError(f"scores of {found}")
        return found


def probabilities(logits: Array, several: bool, temperature: float = 1.0) -> Array:
    """From logits (N, C): of each class, which sum to 1 unless there may be several."""
    scaled = logits / temperature
    if several:
        return np.asarray(0.5 * (1 + np.tanh(0.5 * scaled)))
    shifted = np.exp(scaled - scaled.max(1, keepdims=True))
    return np.asarray(shifted / shifted.sum(1, keepdims=True))


def measure(found: Array, flags: Array, several: bool) -> Scores:
    """Scores of probabilities (N, C) where `flags` (N, C) are true."""
    chosen = found >= 0.5 if several else _top(found)
    right = (chosen == flags).all(1)
    kept = np.clip(found, 1e-12, 1.0)
    nats = -np.log(kept[flags]).sum()
    if several:
        nats -= np.log(np.clip(1 - found[~flags], 1e-12, 1.0)).sum()
    count = found.size if several else len(found)
    return Scores(
        float(right.mean()),
        macro_f1(chosen, flags),
        auroc(found, flags),
        float(nats / count),
        calibration_error(found, flags, several),
        len(found),
    )


def _top(found: Array) -> Array:
    chosen = np.zeros(found.shape, bool)
    chosen[np.arange(len(found)), found.argmax(1)] = True
    return chosen


def macro_f1(chosen: Array, flags: Array) -> float:
    """The mean F1 of the classes that occur, or are chosen."""
    hits = (chosen & flags).sum(0)
    total = chosen.sum(0) + flags.sum(0)
    used = total > 0
    return float((2 * hits[used] / total[used]).mean()) if used.any() else 0.0


def auroc(found: Array, flags: Array) -> float | None:
    """By ranks, ties counting half (Mann and Whitney); with two classes that of the second."""
    classes = [1] if found.shape[1] == 2 and (flags.sum(1) == 1).all() else range(found.shape[1])
    areas = []
    for k in classes:
        yes, n = flags[:, k], int(flags[:, k].sum())
        if 0 < n < len(yes):
            ranks = _ranks(found[:, k])
            areas.append((ranks[yes].sum() - n * (n + 1) / 2) / (n * (len(yes) - n)))
    return float(np.mean(areas)) if areas else None


def _ranks(values: Array) -> Array:
    """From 1 up; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[inverse])


def calibration_bins(found: Array, flags: Array, several: bool) -> Array:
    """For 15 bins of the probability: its mean, the share that is right, how many: (3, 15)."""
    if several:
        sure, right = found.ravel(), flags.ravel()
    else:
        sure, right = found.max(1), flags[np.arange(len(found)), found.argmax(1)]
    which = np.minimum((sure * _BINS).astype(int), _BINS - 1)
    counts = np.bincount(which, minlength=_BINS)
    divisor = np.maximum(1, counts)
    means = np.bincount(which, sure, _BINS) / divisor
    shares = np.bincount(which, right, _BINS) / divisor
    return np.stack([means, shares, counts])


def calibration_error(found: Array, flags: Array, several: bool) -> float:
    """How far probabilities are from the share that is right, weighted by the bins' examples."""
    means, shares, counts = calibration_bins(found, flags, several)
    return float((np.abs(means - shares) * counts).sum() / max(1.0, counts.sum()))


def best_temperature(logits: Array, flags: Array, several: bool) -> float:
    """What logits are divided by for the least loss (Guo et al., 2017); 1 without examples."""
    if not len(logits):
        return 1.0
    losses = [doubtful_loss(logits / t, flags, several) for t in _TEMPERATURES.tolist()]
    return float(_TEMPERATURES[int(np.argmin(losses))])


def doubtful_loss(logits: Array, flags: Array, several: bool) -> float:
    """Nats of all examples together, where the truth is taken to be a little uncertain.

    As Platt (1999) has it: without a mistake among few examples the least loss would be at
    certainty.
    """
    doubt = 1 / (len(logits) + 2)
    others = 1 if several else max(1, flags.shape[1] - 1)
    true = np.where(flags, 1 - doubt, doubt / others)
    found = np.clip(probabilities(logits, several), 1e-12, 1.0)
    nats = -(true * np.log(found)).sum()
    if several:
        nats -= ((1 - true) * np.log(np.clip(1 - found, 1e-12, 1.0))).sum()
    return float(nats)


def log_odds(logits: Array, several: bool) -> Array:
    """Of each class against all others, from logits (N, C) that are divided by the temperature."""
    if several:
        return logits
    classes = logits.shape[1]
    rest = [np.delete(logits, k, 1) for k in range(classes)]
    tops = [one.max(1, keepdims=True) for one in rest]
    sums = [t[:, 0] + np.log(np.exp(one - t).sum(1)) for one, t in zip(rest, tops, strict=True)]
    return np.asarray(logits - np.stack(sums, 1))


def confusion(found: Array, flags: Array) -> Array:
    """How often each class (row) was taken for each (column): (C, C); for one label each."""
    classes = found.shape[1]
    pairs = flags.argmax(1) * classes + found.argmax(1)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
