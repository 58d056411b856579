"""Lexicons learnt from training texts.

What a lexicon is, and what splits a text, stands in `elman_runtime.lexicon`: a stored classifier
reads text without this library.
"""

from collections import Counter
from collections.abc import Iterable

from elman.data.vocabulary import learn_vocabulary
from elman.tasks.classifying.settings import ClassifySettings
from elman_runtime.lexicon import PADDING, UNKNOWN, Lexicon, restored, words_of

__all__ = ["PADDING", "UNKNOWN", "Lexicon", "learn_lexicon", "restored", "words_of"]


def learn_lexicon(texts: Iterable[str], settings: ClassifySettings) -> Lexicon:
    """The tokens of the training texts, the most frequent first.

    Raises:
        ImportError: subwords need the library `tokenizers`.
    """
    keep = settings.keep_case
    if settings.tokens == "words":
        counts = Counter(word for text in texts for word in words_of(text, keep))
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        frequent = [word for word in ranked if counts[word] >= settings.min_count]
        return Lexicon("words", tuple(frequent[: settings.known_tokens]), keep)
    empty = Lexicon(settings.tokens, (), keep)
    blocks = (empty.plain(text) + "\n" for text in texts)
    found = learn_vocabulary(settings.tokens, blocks, settings.known_tokens)
    return Lexicon(settings.tokens, (), keep, found)
