"""Trees of tensors and plain values: detached, moved, and stored without pickle.

A tree is a tensor, None, bool, int, float or str, or a tuple, list, dict (keys: str or int) or
NamedTuple of trees. `encode` gives its structure as JSON values and its tensors as arrays; a
NamedTuple is stored as its name and field names, and `decode` builds a `collections.namedtuple`
of that name and those fields: reading a file never imports anything.
"""

import math
from collections import namedtuple
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

Tree: TypeAlias = Any
Json: TypeAlias = Any
Arrays: TypeAlias = dict[str, np.ndarray[Any, np.dtype[Any]]]

# NumPy has no type for these; their bytes travel as integers of the same width.
_AS_INTEGERS = {torch.bfloat16: torch.int16, torch.complex64: torch.int64}
_DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64),
        *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
    )
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


def map_tensors(function: Callable[[Tensor], Tensor], tree: Tree) -> Tree:
    """The same tree with `function` applied to each tensor; other objects stay as they are."""
    if isinstance(tree, Tensor):
        return function(tree)
    if type(tree) is dict:
        return {key: map_tensors(function, value) for key, value in tree.items()}
    if _is_named(tree):
        return type(tree)(*(map_tensors(function, value) for value in tree))
    if type(tree) in (tuple, list):
        return type(tree)(map_tensors(function, value) for value in tree)
    return tree


def tensors_of(tree: Tree) -> list[Tensor]:
    """The tensors of a tree, in order."""
    found: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    map_tensors(note, tree)
    return found


def encode(tree: Tree, what: str = "tree") -> tuple[Json, Arrays]:
    """The structure of `tree` as JSON values, and its tensors by name.

    Raises TypeError naming the place in the tree (`what` is its root) of a value that cannot be
    stored.
    """
    arrays: Arrays = {}
    return _encode(tree, what, arrays), arrays


def _encode(tree: Tree, path: str, arrays: Arrays) -> Json:
    if tree is None or type(tree) in (bool, int, str):
        return tree
    if type(tree) is float:
        return tree if math.isfinite(tree) else {"float": repr(tree)}
    if isinstance(tree, Tensor):
        return _encode_tensor(tree, path, arrays)
    if type(tree) is dict:
        return {
            "dict": [[_key(k, path), _encode(v, f"{path}/{k}", arrays)] for k, v in tree.items()]
        }
    if _is_named(tree):
        fields = list(tree._fields)
        values = [_encode(getattr(tree, f), f"{path}/{f}", arrays) for f in fields]
        return {"named": type(tree).__name__, "fields": fields, "values": values}
    if type(tree) in (tuple, list):
        values = [_encode(v, f"{path}/{i}", arrays) for i, v in enumerate(tree)]
        return {type(tree).__name__: values}
    raise TypeError(
        f"{path} must be a tensor, None, bool, int, float, str, tuple, list, dict or NamedTuple to "
        f"be stored; got {type(tree).__name__}; convert it, or keep it out of what is stored"
    )


def _key(key: object, path: str) -> str | int:
    if type(key) is str or type(key) is int:
        return key
    raise TypeError(f"a key of {path} must be str or int; got {key!r}; rename it")


def _encode_tensor(tensor: Tensor, path: str, arrays: Arrays) -> Json:
    if tensor.dtype not in _NAMES or tensor.layout is not torch.strided:
        raise TypeError(
            f"{path} must be a dense tensor of {', '.join(_DTYPES)}; got {tensor.dtype} "
            f"({tensor.layout}); convert it"
        )
    name = _free_name(path, arrays)
    plain = tensor.detach().resolve_conj().resolve_neg().cpu().contiguous()
    plain = plain.view(_AS_INTEGERS.get(plain.dtype, plain.dtype))
    # A copy: the file may be written after the tensor has moved on.
    arrays[name] = np.array(plain.numpy(), copy=True)
    stored: dict[str, Json] = {"tensor": name, "dtype": _NAMES[tensor.dtype]}
    if tensor.device.type == "cpu":
        stored["cpu"] = True
    return stored


def _free_name(path: str, arrays: Arrays) -> str:
    """The path, unless it is taken (a key may contain the separator) or no name for a file."""
    if path in arrays or not path.isprintable() or len(path.encode()) > 400:
        return f"#{len(arrays)}"
    return path


def decode(structure: Json, arrays: Arrays, device: torch.device | str = "cpu") -> Tree:
    """The tree that `encode` was given. Tensors that were not on the CPU come to `device`.

    Raises ValueError where the structure is not one that `encode` writes.
    """
    if structure is None or type(structure) in (bool, int, str, float):
        return structure
    if not isinstance(structure, dict) or not structure:
        raise ValueError(
            f"a stored tree must be made of objects with a kind; got {structure!r:.80}"
        )
    kind = next(iter(sorted(structure.keys() & _DECODERS.keys())), None)
    if kind is None:
        raise ValueError(f"a stored tree has an unknown kind: {sorted(structure)}")
    return _DECODERS[kind](structure, arrays, torch.device(device))


def _decode_float(structure: Json, _arrays: Arrays, _device: torch.device) -> float:
    return float(structure["float"])


def _decode_tensor(structure: Json, arrays: Arrays, device: torch.device) -> Tensor:
    name, dtype = structure["tensor"], _DTYPES.get(structure["dtype"])
    if dtype is None or name not in arrays:
        raise ValueError(f"a stored tree names a tensor that is not in the file: {structure}")
    tensor = torch.from_numpy(np.array(arrays[name], copy=True)).view(dtype)
    return tensor if structure.get("cpu") else tensor.to(device)


def _decode_sequence(structure: Json, arrays: Arrays, device: torch.device) -> Tree:
    kind = tuple if "tuple" in structure else list
    return kind(decode(value, arrays, device) for value in structure[kind.__name__])


def _decode_dict(structure: Json, arrays: Arrays, device: torch.device) -> Tree:
    return {key: decode(value, arrays, device) for key, value in structure["dict"]}


def _decode_named(structure: Json, arrays: Arrays, device: torch.device) -> Tree:
    # namedtuple refuses any name that is not an identifier, so no code can hide in one.
    kind = namedtuple(structure["named"], structure["fields"])  # type: ignore[misc]
    return kind(*(decode(value, arrays, device) for value in structure["values"]))


_DECODERS: dict[str, Callable[[Json, Arrays, torch.device], Tree]] = {
    "float": _decode_float,
    "tensor": _decode_tensor,
    "tuple": _decode_sequence,
    "list": _decode_sequence,
    "dict": _decode_dict,
    "named": _decode_named,
}


def _is_named(tree: object) -> bool:
    return isinstance(tree, tuple) and hasattr(tree, "_fields")
