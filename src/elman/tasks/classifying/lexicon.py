"""Lexicons learnt from training texts.

What a lexicon is, and what splits a text, stands in `elman_runtime.lexicon`: a stored classifier
reads text without this library.
"""

from collections import Counter
from collections.abc import Iterable

from elman.data.vocabulary import learn_vocabulary
from elman.tasks.classifying.pieces import count_words
from elman.tasks.classifying.settings import ClassifySettings
from elman_runtime.lexicon import BOTH, PADDING, UNKNOWN, Lexicon, parts_of, restored, words_of

__all__ = ["BOTH", "PADDING", "UNKNOWN", "Lexicon", "learn_lexicon", "restored", "words_of"]

_LEAST = 3  # words that a part stands in, at least
_MOST_PARTS = 50_000


def learn_lexicon(texts: Iterable[str], settings: ClassifySettings) -> Lexicon:
    """The tokens of the training texts, the most frequent first.

    Raises:
        ImportError: subwords need the library `tokenizers`.
    """
    keep = settings.keep_case
    if settings.tokens == "words" or settings.tokens == "words+subwords":
        counts = count_words(texts, keep)
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        frequent = [word for word in ranked if counts[word] >= settings.min_count]
        words = tuple(frequent[: settings.known_tokens])
        parts = _parts(counts) if settings.tokens == BOTH else ()
        return Lexicon(settings.tokens, words, keep, None, parts)
    empty = Lexicon(settings.tokens, (), keep)
    blocks = (empty.plain(text) + "\n" for text in texts)
    found = learn_vocabulary(settings.tokens, blocks, settings.known_tokens)
    return Lexicon(settings.tokens, (), keep, found)


def _parts(words: Iterable[str]) -> tuple[str, ...]:
    """The parts that several of these words have, those of most words first.

    Words count that are too rare to be known themselves.
    """
    counts = Counter(part for word in words for part in parts_of(word))
    ranked = sorted(counts, key=lambda part: (-counts[part], part))
    return tuple(part for part in ranked if counts[part] >= _LEAST)[:_MOST_PARTS]
