import dataclasses
import re

import pytest

from elman.train import FitSettings


def test_every_field_is_documented():
    documented = re.findall(r"^    - `(\w+)`: ", FitSettings.__doc__, re.MULTILINE)
    assert sorted(documented) == sorted(field.name for field in dataclasses.fields(FitSettings))


def test_defaults_are_legal_and_frozen():
    settings = FitSettings()
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.lr = 1.0
    assert FitSettings(betas=[0.8, 0.9]).betas == (0.8, 0.9)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("steps", 0, ValueError),
        ("steps", 1.5, TypeError),
        ("steps", True, TypeError),
        ("epochs", -1, ValueError),
        ("minutes", 0, ValueError),
        ("minutes", float("inf"), ValueError),
        ("minutes", "3", TypeError),
        ("optimizer", "adamm", ValueError),
        ("lr", 0.0, ValueError),
        ("lr", float("nan"), ValueError),
        ("lr", None, TypeError),
        ("weight_decay", -0.1, ValueError),
        ("betas", (0.9,), TypeError),
        ("betas", (0.9, 1.0), ValueError),
        ("betas", 0.9, TypeError),
        ("eps", 0, ValueError),
        ("momentum", 1.0, ValueError),
        ("schedule", "linear", ValueError),
        ("warmup", -1, ValueError),
        ("min_lr", 1.0, ValueError),
        ("plateau_factor", 1.0, ValueError),
        ("plateau_patience", 0, ValueError),
        ("clip_norm", 0.0, ValueError),
        ("clip_value", -1.0, ValueError),
        ("clip", "quantile", ValueError),
        ("clip_quantile", 0.0, ValueError),
        ("clip_quantile", 1.1, ValueError),
        ("clip_history", 9, ValueError),
        ("doctor", -1, ValueError),
        ("accumulate", 0, ValueError),
        ("ema", 1.0, ValueError),
        ("patience", 0, ValueError),
        ("evaluate_every", 0, ValueError),
        ("checkpoint_every", 0, ValueError),
        ("checkpoint_seconds", -1.0, ValueError),
        ("keep_checkpoints", 0, ValueError),
        ("max_skipped", 0, ValueError),
        ("log_every", 0, ValueError),
        ("seed", -1, ValueError),
        ("seed", 2**63, ValueError),
    ],
)
def test_a_bad_value_is_named_with_what_came(name, value, error):
    with pytest.raises(error, match=name) as caught:
        FitSettings(**{name: value})
    came = value[1] if name == "betas" and isinstance(value, tuple) and len(value) > 1 else value
    assert str(came) in str(caught.value)


def test_every_field_has_a_rule():
    """A field added without one would let anything through."""

    class Odd:
        def __eq__(self, other):
            return False

        __hash__ = None

    for field in dataclasses.fields(FitSettings):
        with pytest.raises((TypeError, ValueError), match=field.name):
            FitSettings(**{field.name: Odd()})
