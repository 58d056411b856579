"""A verdict: what is wrong, how one sees it, what to do; and the lines that mend a layer."""

from dataclasses import dataclass, field

from elman import init
from elman.doctor.measure import Measured


@dataclass(frozen=True)
class Verdict:
    """One finding.

    - `kind`: vanishing, exploding, not finite, inputs, saturated, stuck, dead, ignored, learning
      rate, clipping or memory.
    - `layer`: its name; "" for the whole model.
    - `words`: what is wrong, a sentence.
    - `evidence`: the numbers that say so.
    - `repair`: the line or option that mends it.
    - `ill`: whether it is an illness; else it is good to know.
    """

    kind: str
    layer: str
    words: str
    repair: str
    evidence: dict[str, float] = field(default_factory=dict)
    ill: bool = True

    def text(self) -> str:
        """Three lines for a terminal."""
        numbers = ", ".join(f"{name} {value:.3g}" for name, value in self.evidence.items())
        where = f"{self.layer}: " if self.layer else ""
        kind = self.kind if self.ill else f"note: {self.kind}"
        return f"{where}{kind}. {self.words}\n  seen:   {numbers}\n  repair: {self.repair}"


def remembering(one: Measured, steps: int) -> str:
    """What makes a layer remember longer."""
    small = one.spectra and one.norm < 0.7
    if one.cell is None:
        return "a cell with a forget gate: Recurrent('LSTM', ...)"
    chrono, start = f"elman.init.chrono_(model, t_max={max(3, steps)})", init.remembering(one.cell)
    if start == "chrono_":
        return chrono
    if small:
        return orthogonal(one)
    if start == "recommended_":
        return f"elman.init.recommended_(model, length={max(3, steps)})"
    return f"a cell with a forget gate: Recurrent('LSTM', ...), then {chrono}"


def orthogonal(one: Measured) -> str:
    """The line that makes U orthogonal; a cell without U starts anew as it declares."""
    if not one.spectra:
        return "elman.init.recommended_(model)" if one.cell is None else "layer.reset_parameters()"
    path, _, suffix = one.name.split("#")[0].rpartition(".")
    owner = f"model.{path}" if path else "model"
    gates = f", gates={len(one.spectra)}" if len(one.spectra) > 1 else ""
    return f"elman.init.orthogonal_({owner}.weight_hh_{suffix}{gates})"


def size(one: Measured) -> dict[str, float]:
    """The size of U as evidence, where there is one."""
    return {"largest |U|": one.norm} if one.spectra else {}
