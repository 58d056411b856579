"""Judgement of a running text, word by word, in constant memory."""

import torch

from elman.tasks.classifying.fitted import Fitted
from elman.tasks.classifying.measuring import probabilities


class Judge:
    """What a causal classifier thinks after each word; made by `Classifier.stream`.

    After the words of a text it says what `predict_proba` says of the text.
    """

    def __init__(self, fitted: Fitted, several: bool) -> None:
        self._fitted, self._several = fitted, several
        self._state = fitted.network.initial_state(1)
        self._last: dict[str, float] | None = None

    @torch.no_grad()
    def step(self, word: str) -> dict[str, float]:
        """The probability of each class, with one word more.

        Args:
            word: one or several words with their signs, or characters; "" changes nothing.

        Raises:
            TypeError: it is not text.
            ValueError: it is the first, and has nothing in it.
        """
        if not isinstance(word, str):
            raise TypeError(f"word must be str; got {type(word).__name__}; decode or convert it")
        reader, network = self._fitted.reader, self._fitted.network
        assert reader.lexicon is not None
        for token in reader.lexicon.encode(word).tolist():
            logits, self._state = network.step(torch.tensor([token]), self._state)
            array = logits.double().numpy()
            sure = probabilities(array, self._several, self._fitted.temperature)[0]
            self._last = dict(zip(reader.classes, map(float, sure), strict=True))
        if self._last is None:
            raise ValueError(f"word must have a word in it at first; got {word!r}; give one")
        return dict(self._last)
