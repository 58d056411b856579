"""BLEU and chrF of translations, by sacreBLEU, whose signatures say how."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

_INSTALL = "translations are scored by the library sacrebleu: pip install 'elman[translate]'"


@dataclass(frozen=True)
class Score:
    """How near translations are to the references, each 0 to 100.

    - `bleu`: with case, tokenised by 13a, the usual one.
    - `bleu_lower`: the same of lower-cased text.
    - `chrf`: F-score of runs of characters; fairer to languages that compound and inflect.
    - `signatures`: sacreBLEU's, of each, by name.
    """

    bleu: float
    bleu_lower: float
    chrf: float
    signatures: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @staticmethod
    def from_dict(stored: dict[str, Any]) -> "Score":
        """The opposite of `as_dict`."""
        values = [float(stored[name]) for name in ("bleu", "bleu_lower", "chrf")]
        if not all(math.isfinite(value) for value in values):
            raise ValueError(f"scores of {values}")
        names = {str(name): str(words) for name, words in dict(stored["signatures"]).items()}
        return Score(values[0], values[1], values[2], names)


def library() -> Any:
    """sacreBLEU's metrics. Raises ImportError with the command that installs it."""
    try:
        from sacrebleu import metrics
    except ImportError as error:
        raise ImportError(f"{_INSTALL} ({error})") from None
    return metrics


def score(translations: Sequence[str], references: Sequence[str]) -> Score:
    """The scores of translations beside one reference each.

    Raises:
        ImportError: sacrebleu is not installed.
        ValueError: there are none, or their numbers differ.
    """
    if not references or len(translations) != len(references):
        raise ValueError(
            f"translations and references must be as many, 1 or more; got {len(translations)} and "
            f"{len(references)}; give a reference for each"
        )
    metrics = library()
    found, signatures = {}, {}
    ways = {
        "bleu": metrics.BLEU(tokenize="13a"),
        "bleu_lower": metrics.BLEU(tokenize="13a", lowercase=True),
        "chrf": metrics.CHRF(),
    }
    for name, metric in ways.items():
        found[name] = float(metric.corpus_score(list(translations), [list(references)]).score)
        signatures[name] = str(metric.get_signature())
    return Score(found["bleu"], found["bleu_lower"], found["chrf"], signatures)


def quick_bleu(translations: Sequence[str], references: Sequence[str]) -> float:
    """BLEU alone, to follow training by."""
    metric = library().BLEU(tokenize="13a")
    return float(metric.corpus_score(list(translations), [list(references)]).score)
