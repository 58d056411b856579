"""Text coloured by how much each piece of it surprised a model."""

from collections.abc import Sequence
from html import escape

MOST = 20_000
"""Pieces that are drawn at most."""

_FULL = 8.0  # bits from which on the colour is full
_STEPS = 9
_WHITE = {"\n": "↵\n", "\t": "⇥\t"}


def coloured(pieces: Sequence[str], bits: Sequence[float]) -> str:
    """HTML of a text whose pieces have the darker a background the more bits they cost.

    Args:
        pieces: of the text, in order; only the first 20,000 are drawn.
        bits: what each cost; shown where the pointer rests on a piece.

    Raises:
        ValueError: there are not as many bits as pieces.
    """
    if len(pieces) != len(bits):
        raise ValueError(f"bits must be one a piece; got {len(bits)} for {len(pieces)}; count them")
    spans = "".join(_span(*one) for one in zip(pieces[:MOST], bits[:MOST], strict=True))
    left = len(pieces) - MOST
    more = f"<p class=note>{left:,} more are not drawn.</p>" if left > 0 else ""
    return f"<pre class=surprise>{spans}</pre>{_key()}{more}"


def _span(piece: str, bits: float) -> str:
    step = min(_STEPS, round(_STEPS * max(0.0, bits) / _FULL))
    shown = "".join(_WHITE.get(letter, letter) for letter in piece) if step else piece
    text = escape(shown)
    if not step:
        return text
    return f'<span class=s{step} title="{bits:.1f} bits">{text}</span>'


def _key() -> str:
    marks = "".join(
        f"<span class=s{k}> {_FULL * k / _STEPS:.1f} </span>" for k in range(1, _STEPS + 1)
    )
    return f"<p class='note surprise'>bits: {marks} and more</p>"
