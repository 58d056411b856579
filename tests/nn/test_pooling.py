"""Pooling: right for rows of unequal lengths, blind to padding, and the same step by step."""

from functools import partial

import pytest
import torch

from elman.nn import AttentionPool, Builder, Pool, Pooling
from elman.nn.pooling import KINDS
from elman.testing import assert_close
from elman_runtime.program import evaluate

LENGTHS = [7, 3, 0, 1]


def made(kind, features=5):
    pool = (AttentionPool(features) if kind == "attention" else Pool(kind)).double()
    for parameter in pool.parameters():
        torch.nn.init.normal_(parameter)
    return pool


def slowly(kind, pool, row):
    """The definition, one row at a time."""
    if not len(row):
        return torch.zeros(row.shape[1], dtype=row.dtype)
    if kind == "max":
        return torch.stack([max(column) for column in row.T])
    if kind == "mean":
        return sum(row) / len(row)
    scores = [
        pool.outer.weight[0] @ torch.tanh(pool.inner.weight @ y + pool.inner.bias) for y in row
    ]
    shares = [score.exp() / sum(one.exp() for one in scores) for score in scores]
    return sum(share * y for share, y in zip(shares, row, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_each_row_is_pooled_over_its_own_steps(kind):
    pool, y = made(kind), torch.randn(4, 7, 5, dtype=torch.float64)
    expected = torch.stack([slowly(kind, pool, row[:n]) for row, n in zip(y, LENGTHS, strict=True)])
    torch.testing.assert_close(pool(y, LENGTHS), expected)
    torch.testing.assert_close(pool(y)[0], expected[0])


@pytest.mark.parametrize("filling", [float("nan"), 123.0])
@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_neither_outputs_nor_gradients(kind, filling):
    pool, clean = made(kind), torch.randn(4, 7, 5, dtype=torch.float64)
    upstream = torch.randn(4, 5, dtype=torch.float64)
    found = []
    for value in (0.0, filling):
        y = clean.clone()
        for row, n in enumerate(LENGTHS):
            y[row, n:] = value
        y.requires_grad_(True)
        out = pool(y, torch.tensor(LENGTHS))
        grads = torch.autograd.grad((out * upstream).sum(), [y, *pool.parameters()])
        found.append([out, *grads])
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)
        assert one.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_finite_differences(kind):
    y = torch.randn(3, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda y: made_with_seed(kind)(y, [4, 2, 0]), (y,))


def made_with_seed(kind):
    torch.manual_seed(1)
    return made(kind)


def test_step_by_step_is_the_whole():
    pool = Pooling(5).double()
    torch.nn.init.normal_(pool.parts[2].outer.weight)
    y = torch.randn(2, 6, 5, dtype=torch.float64)
    state = pool.initial_state(2)
    for t in range(6):
        out, state = pool.step(y[:, t], state)
        torch.testing.assert_close(out, pool(y[:, : t + 1]))


def test_attention_does_not_overflow_and_starts_at_the_mean():
    pool = AttentionPool(3)
    y = torch.randn(2, 4, 3)
    torch.testing.assert_close(pool(y), y.mean(1))
    torch.nn.init.constant_(pool.outer.weight, 1e4)
    state = pool.initial_state(2)
    for t in range(4):
        out, state = pool.step(y[:, t], state)
    assert out.isfinite().all()
    torch.testing.assert_close(out, pool(y))
    torch.testing.assert_close(pool.weights(y, [4, 0]).sum(1), torch.tensor([1.0, 0.0]))


def test_no_steps_at_all_are_zeros():
    assert torch.equal(Pooling(3)(torch.zeros(2, 0, 3)), torch.zeros(2, 9))


@pytest.mark.parametrize("kinds", [(), ("max", "max"), ("sum",), "max"])
@pytest.mark.errors
def test_unknown_kinds_are_refused(kinds):
    with pytest.raises(ValueError, match="pooling must be one or more of max, mean, attention"):
        Pooling(3, kinds)


@torch.no_grad()
def test_they_stand_behind_a_layer_and_take_time_first():
    y, state = torch.randn(2, 7, 5), torch.zeros(2, 5)
    for make in (partial(Pool, "max"), partial(Pool, "mean"), partial(AttentionPool, 5)):
        first, second = make(), make(batch_first=False)
        second.load_state_dict(first.state_dict())
        assert torch.equal(first((y, state)), first(y))
        turned = second(y.transpose(0, 1), LENGTHS[:2])
        assert_close(turned, first(y, LENGTHS[:2]), terms=6)
    assert torch.equal(Pooling(5)((y, state)), Pooling(5)(y))


@torch.no_grad()
def test_attention_so_far_does_not_overflow_in_a_program():
    pool, y = AttentionPool(3).double(), 50 * torch.randn(2, 40, 3, dtype=torch.float64)
    torch.nn.init.constant_(pool.outer.weight, 1e4)
    b = Builder(each=True)
    program = b.build(z=b.lower(pool, b.input("y", "T", 3)))
    found = evaluate(program, b.tensors, b.tapes, [y.numpy()])[0][0]
    for t in (0, 7, 39):
        torch.testing.assert_close(torch.from_numpy(found[:, t]), pool(y[:, : t + 1]))
