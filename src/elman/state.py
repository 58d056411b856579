"""Operations on a recurrent state.

A state is a tree: a tensor, or a tuple, NamedTuple, list or dict of trees, whose tensors are batch
first. None of these functions changes what it is given.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from elman_runtime import model_file

__all__ = ["cat", "detach", "leaves", "load", "map_leaves", "save", "select", "where"]

Tree = TypeVar("Tree")


def map_leaves(function: Callable[..., Tensor], tree: Tree, *others: Tree) -> Tree:
    """`function` of corresponding tensors of one or more trees of the same form."""
    return _map(function, tree, *others)  # type: ignore[no-any-return]


def _map(function: Callable[..., Tensor], tree: Any, *others: Any) -> Any:
    if others or not isinstance(tree, Tensor | tuple | list | dict):
        _check_forms(tree, *others)
    if isinstance(tree, Tensor):
        return function(tree, *others)
    if isinstance(tree, dict):
        return {key: _map(function, tree[key], *(o[key] for o in others)) for key in tree}
    parts = [_map(function, *corresponding) for corresponding in zip(tree, *others, strict=True)]
    return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)


def _check_forms(tree: Any, *others: Any) -> None:
    form = _form(tree)
    for other in others:
        if _form(other) != form:
            raise ValueError(f"the states differ in form: {form} in one, {_form(other)} in another")


def _form(tree: Any) -> str:
    """What must be the same in corresponding nodes, in words."""
    if isinstance(tree, Tensor):
        return "a tensor"
    if isinstance(tree, dict):
        return f"a dict of {sorted(map(str, tree))}"
    if isinstance(tree, tuple | list):
        return f"{len(tree)} parts"
    raise TypeError(
        f"a state is a tensor or a tuple, list or dict of states, got {type(tree).__name__}"
    )


def leaves(tree: Any) -> list[Tensor]:
    """The tensors of a state, in order."""
    found: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    map_leaves(note, tree)
    return found


def detach(tree: Tree) -> Tree:
    """The same values, cut from the graph: gradients stop here.

    A state that is carried from batch to batch without this makes backward run into the last batch;
    with it, training is truncated backpropagation through time.
    """
    return map_leaves(torch.detach, tree)


def select(tree: Tree, rows: Tensor | Sequence[int] | slice) -> Tree:
    """Rows of the batch: indices (any order, repeats allowed), a mask (B,), or a slice."""
    if isinstance(rows, slice):
        return map_leaves(lambda t: t[rows], tree)
    # An empty list has no dtype of its own.
    index = torch.as_tensor(rows, dtype=None if len(rows) else torch.int64)
    return map_leaves(lambda t: t[index.to(t.device)], tree)


def where(condition: Tensor, a: Tree, b: Tree) -> Tree:
    """Row by row, `a` where `condition` (B,), a boolean, holds and `b` elsewhere."""

    def choose(x: Tensor, y: Tensor) -> Tensor:
        return torch.where(condition.reshape(-1, *[1] * (x.dim() - 1)), x, y)

    return map_leaves(choose, a, b)


def cat(trees: Sequence[Tree]) -> Tree:
    """One batch from several, in order."""
    if not trees:
        raise ValueError("state.cat: needs at least one state, got none")
    return map_leaves(lambda *ts: torch.cat(ts), trees[0], *trees[1:])


def save(tree: Any, path: str | os.PathLike[str]) -> None:
    """Write a state to a file, atomically: a safetensors file without names of classes."""
    tensors = {f"{k:06d}": t.detach().cpu().numpy() for k, t in enumerate(leaves(tree))}
    model_file.write(path, {"format": 0, "kind": "state"}, tensors)


def load(path: str | os.PathLike[str], like: Tree) -> Tree:
    """Read a state that `save` wrote, in the form of `like`, such as `layer.initial_state(1)`.

    Raises:
        elman_runtime.ModelFileError: the file is damaged or not a model file.
        ValueError: it holds something else, or does not fit `like` in number, dtype or shape
            (all but the batch, which is the same in every tensor).
    """
    stored = model_file.read(path)
    if stored.meta.get("kind") != "state":
        raise ValueError(f"{path}: holds a {stored.meta.get('kind')!r}, not a state")
    wanted = leaves(like)
    if len(stored.tensors) != len(wanted):
        raise ValueError(
            f"{path}: holds a state of {len(stored.tensors)} tensors; "
            f"this model's has {len(wanted)}"
        )
    batches = {array.shape[:1] for array in stored.tensors.values()}
    if len(batches) > 1:
        raise ValueError(f"{path}: its tensors differ in their batch: {sorted(batches)}")
    found = iter(torch.from_numpy(stored.tensors[name].copy()) for name in sorted(stored.tensors))

    def fit(reference: Tensor) -> Tensor:
        tensor = next(found)
        if tensor.dtype != reference.dtype or tensor.shape[1:] != reference.shape[1:]:
            raise ValueError(
                f"{path}: holds {tensor.dtype} of shape {tuple(tensor.shape)}; "
                f"this model's is {reference.dtype}, {tuple(reference.shape)} but for the batch"
            )
        return tensor.to(reference.device)

    return map_leaves(fit, like)
