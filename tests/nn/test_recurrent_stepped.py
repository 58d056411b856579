"""Any torch code as a recurrence: the meaning of lengths, reset and state is kept."""

import pytest
import torch
from torch import nn

from elman.nn import Recurrent, SteppedModule

B, T, I = 3, 5, 2  # noqa: E741


class Counter(nn.Module):
    """A state that is a tree: a sum, and how many steps were made."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))

    def initial_state(self, batch: int):
        return {"sum": torch.zeros(batch, I), "steps": torch.zeros(batch)}

    def step(self, x, state):
        new = {"sum": state["sum"] + self.scale * x, "steps": state["steps"] + 1}
        return new["sum"] / new["steps"][:, None], new


@pytest.fixture
def layer() -> SteppedModule:
    return Recurrent(Counter())


def test_recurrent_of_a_module_is_a_stepped_module(layer) -> None:
    assert type(layer) is SteppedModule
    assert [n for n, _ in layer.named_parameters()] == ["module.scale"]


def test_a_sequence_is_its_steps(layer) -> None:
    x = torch.randn(B, T, I)
    y, final = layer(x)
    state = layer.initial_state(B)
    for t in range(T):
        one, state = layer.step(x[:, t], state)
        assert torch.equal(one, y[:, t])
    assert torch.equal(state[0]["sum"], final[0]["sum"])
    torch.testing.assert_close(final[0]["sum"], 2 * x.sum(1))


def test_lengths_and_padding(layer) -> None:
    x = torch.randn(B, T, I)
    x[1, 2:] = torch.nan
    y, final = layer(x, lengths=[T, 2, 0])
    assert final[0]["steps"].tolist() == [5, 2, 0]
    assert (y[1, 2:] == 0).all()
    torch.testing.assert_close(final[0]["sum"][1], 2 * x[1, :2].sum(0))
    y.sum().backward()
    assert layer.module.scale.grad.isfinite()


def test_reset_starts_anew(layer) -> None:
    x, reset = torch.randn(B, T, I), torch.zeros(B, T, dtype=torch.bool)
    reset[0, 3] = True
    y, final = layer(x, reset=reset)
    assert final[0]["steps"].tolist() == [2, 5, 5]
    torch.testing.assert_close(y[0, 3:], layer(x[:1, 3:])[0][0])


def test_state_is_carried(layer) -> None:
    x = torch.randn(B, T, I)
    _, carried = layer(x[:, :2])
    y, final = layer(x[:, 2:], carried)
    torch.testing.assert_close(y, layer(x)[0][:, 2:])
    assert torch.equal(layer.last(final), final[0]["sum"])


def test_what_is_refused(layer) -> None:
    with pytest.raises(TypeError, match="Recurrent\\(module\\) takes the module alone"):
        Recurrent(Counter(), 3, 5)
    with pytest.raises(TypeError, match="Linear has no method initial_state"):
        Recurrent(nn.Linear(2, 2))
    with pytest.raises(ValueError, match="x has no steps"):
        layer(torch.zeros(B, 0, I))
    with pytest.raises(ValueError, match=r"lengths\[1\] is 6; x has 5 steps, so 0 to 5"):
        layer(torch.zeros(B, T, I), lengths=[0, 6, 0])
