"""Operations on trees of tensors."""

from typing import NamedTuple

import numpy as np
import pytest
import torch

import elman
from elman import state
from elman_runtime import ModelFileError, model_file


class Pair(NamedTuple):
    h: torch.Tensor
    c: torch.Tensor


def tree(batch: int = 4):
    """Every kind of node; leaves of 1, 2 and 3 axes."""
    return (
        Pair(torch.randn(batch, 3), torch.randn(batch)),
        [torch.randn(batch, 2, 2), {"b": torch.randn(batch, 1), "a": torch.randn(batch, 5)}],
    )


def same(a, b) -> bool:
    return all(torch.equal(x, y) for x, y in zip(state.leaves(a), state.leaves(b), strict=True))


def test_map_keeps_the_form() -> None:
    made = state.map_leaves(lambda t: t + 1, tree())
    assert isinstance(made, tuple)
    assert isinstance(made[0], Pair)
    assert isinstance(made[1], list)
    assert list(made[1][1]) == ["b", "a"]


def test_map_of_several() -> None:
    a, b = tree(), tree()
    total = state.map_leaves(torch.add, a, b)
    assert torch.equal(total[1][1]["b"], a[1][1]["b"] + b[1][1]["b"])


def test_leaves_in_order() -> None:
    t = tree()
    found = [t[0].h, t[0].c, t[1][0], t[1][1]["b"], t[1][1]["a"]]
    assert all(a is b for a, b in zip(state.leaves(t), found, strict=True))


def test_detach_cuts_the_graph_and_keeps_the_values() -> None:
    h = torch.ones(2, 3, requires_grad=True) * 2
    cut = state.detach((Pair(h, h),))
    assert not cut[0].h.requires_grad
    assert h.requires_grad
    assert torch.equal(cut[0].h, h)


@pytest.mark.parametrize(
    "rows",
    [
        [2, 0],
        torch.tensor([3, 3, 1]),
        torch.tensor([True, False, False, True]),
        [False, True, False, False],
        slice(1, 3),
        slice(None, None, 2),
        [],
    ],
    ids=str,
)
def test_select(rows) -> None:
    t = tree()
    expected = np.arange(4)[rows if isinstance(rows, slice) else np.asarray(rows, _kind(rows))]
    picked = state.select(t, rows)
    for new, old in zip(state.leaves(picked), state.leaves(t), strict=True):
        assert torch.equal(new, old[torch.from_numpy(expected)])


def _kind(rows) -> type:
    return np.int64 if len(rows) == 0 else type(np.asarray(rows).flat[0])


def test_where_chooses_by_rows() -> None:
    a, b = tree(), tree()
    chosen = state.where(torch.tensor([True, False, True, False]), a, b)
    even, odd = [0, 2], [1, 3]
    assert same(state.select(chosen, even), state.select(a, even))
    assert same(state.select(chosen, odd), state.select(b, odd))


def test_where_carries_gradients_to_the_chosen_alone() -> None:
    a, b = (torch.ones(2, 3, requires_grad=True) for _ in range(2))
    state.where(torch.tensor([True, False]), a, b).sum().backward()
    assert a.grad.tolist() == [[1] * 3, [0] * 3]
    assert b.grad.tolist() == [[0] * 3, [1] * 3]


def test_cat_undoes_select() -> None:
    t = tree()
    assert same(state.cat([state.select(t, slice(0, 1)), state.select(t, slice(1, 4))]), t)
    with pytest.raises(ValueError, match=r"state.cat: needs at least one state, got none"):
        state.cat([])


def test_nothing_given_is_changed() -> None:
    t = tree()
    kept = state.map_leaves(torch.clone, t)
    state.where(torch.tensor([True] * 4), t, tree())
    state.select(t, [0])
    state.map_leaves(lambda v: v * 0, t)
    assert same(t, kept)


@pytest.mark.errors
@pytest.mark.parametrize("wrong", [3, None, "h", np.ones(2), {1, 2}])
def test_what_is_no_state(wrong) -> None:
    with pytest.raises(TypeError, match="a state is a tensor or a tuple, list or dict of states"):
        state.leaves((torch.ones(1), wrong))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ((torch.ones(1),), "2 parts in one, 1 parts in another"),
        (torch.ones(1), "2 parts in one, a tensor in another"),
    ],
)
def test_trees_that_do_not_match(other, message) -> None:
    with pytest.raises(ValueError, match=f"the states differ in form: {message}"):
        state.map_leaves(torch.add, (torch.ones(1), torch.ones(1)), other)


@pytest.mark.parametrize("other", [{"a": torch.ones(1)}, {"b": torch.ones(1)}, torch.ones(1)])
def test_dicts_that_do_not_match(other) -> None:
    both = {"a": torch.ones(1), "b": torch.ones(1)}
    with pytest.raises(ValueError, match="the states differ in form"):
        state.map_leaves(torch.add, both, other)


def test_a_tensor_where_a_tree_is_given() -> None:
    with pytest.raises(ValueError, match="the states differ in form"):
        state.where(torch.tensor([True]), torch.ones(1), (torch.ones(1),))


# --- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_round_trip(tmp_path, dtype) -> None:
    layer = elman.nn.Recurrent("lstm", 3, 5, layers=2, bidirectional=True, dtype=dtype)
    _, carried = layer(torch.randn(6, 4, 3, dtype=dtype))
    state.save(carried, tmp_path / "s.safetensors")
    again = state.load(tmp_path / "s.safetensors", like=layer.initial_state(1))
    assert same(again, carried)
    assert type(again[0]) is type(carried[0])
    layer(torch.randn(6, 2, 3, dtype=dtype), again)


def test_more_than_ten_leaves_keep_their_order(tmp_path) -> None:
    many = tuple(torch.full((1, 1), float(k)) for k in range(25))
    state.save(many, tmp_path / "s")
    assert same(state.load(tmp_path / "s", like=many), many)


def test_views_and_graphs_are_saved_by_value(tmp_path) -> None:
    h = torch.arange(12.0).reshape(3, 4).T.requires_grad_()
    state.save((h.expand(4, 3),), tmp_path / "s")
    assert torch.equal(state.load(tmp_path / "s", like=(h,))[0], h)


@pytest.mark.parametrize(
    ("like", "message"),
    [
        ((torch.zeros(1, 3),), "holds a state of 2 tensors; this model's has 1"),
        ((torch.zeros(1, 3), torch.zeros(1, 4)), r"shape \(2, 5\); this model's is"),
        ((torch.zeros(1, 3, dtype=torch.float64), torch.zeros(1, 5)), "holds torch.float32 of"),
        ((torch.zeros(1, 3, 1), torch.zeros(1, 5)), "but for the batch"),
    ],
)
def test_a_file_that_does_not_fit(tmp_path, like, message) -> None:
    state.save((torch.zeros(2, 3), torch.zeros(2, 5)), tmp_path / "s")
    with pytest.raises(ValueError, match=message):
        state.load(tmp_path / "s", like=like)


def test_leaves_of_unequal_batch_are_refused(tmp_path) -> None:
    state.save((torch.zeros(2, 3), torch.zeros(4, 3)), tmp_path / "s")
    with pytest.raises(ValueError, match="batch"):
        state.load(tmp_path / "s", like=(torch.zeros(1, 3), torch.zeros(1, 3)))


def test_a_file_of_another_kind(tmp_path) -> None:
    path = tmp_path / "m"
    model_file.write(path, {"format": 0, "kind": "model"}, {"a": np.zeros((1, 3), np.float32)})
    with pytest.raises(ValueError, match="holds a 'model', not a state"):
        state.load(path, like=(torch.zeros(1, 3),))


def test_a_damaged_file(tmp_path) -> None:
    path = tmp_path / "s"
    state.save((torch.zeros(2, 3),), path)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ModelFileError):
        state.load(path, like=(torch.zeros(1, 3),))


def test_a_missing_file(tmp_path) -> None:
    with pytest.raises(FileNotFoundError):
        state.load(tmp_path / "none", like=(torch.zeros(1, 3),))
