import json
import math
from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.train.tree import decode, encode, map_tensors, tensors_of


class State(NamedTuple):
    h: torch.Tensor
    c: torch.Tensor


def round_trip(tree):
    structure, arrays = encode(tree)
    return decode(json.loads(json.dumps(structure, allow_nan=False)), arrays)


leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5)
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.one_of(st.text(max_size=3), st.integers()), inner, max_size=3),
    ),
    max_leaves=12,
)


def exactly(a, b):
    assert type(a) is type(b)
    if isinstance(a, tuple | list):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            exactly(x, y)
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            exactly(a[key], b[key])
    else:
        assert a == b


@settings(max_examples=60, deadline=None)
@given(trees)
def test_plain_values_come_back_with_their_types(tree):
    exactly(round_trip(tree), tree)


def test_nan_comes_back():
    assert math.isnan(round_trip([float("nan")])[0])


@pytest.mark.parametrize(
    "dtype",
    [
        *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64),
        *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
    ],
)
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)])
def test_tensors_come_back_bit_for_bit(dtype, shape):
    tensor = (torch.randn(shape) * 3).to(dtype)
    for given_tensor in (tensor, tensor.mT if tensor.ndim > 1 else tensor):
        back = round_trip({"a": given_tensor})["a"]
        assert back.dtype == dtype
        assert torch.equal(back, given_tensor)


def test_a_named_tuple_keeps_its_name_and_fields_without_its_class():
    back = round_trip((State(torch.ones(2), torch.zeros(1)), [State(torch.ones(1), None)]))
    assert type(back[0]).__name__ == "State"
    assert torch.equal(back[0].h, torch.ones(2))
    assert back[1][0].c is None
    assert not isinstance(back[0], State)


def test_keys_that_look_like_paths_do_not_collide():
    tree = {"a": {"b": torch.tensor(1)}, "a/b": torch.tensor(2), "x\n" * 300: torch.tensor(3)}
    assert [t.item() for t in tensors_of(round_trip(tree))] == [1, 2, 3]


def test_views_and_conjugates():
    z = torch.randn(2, dtype=torch.complex64)
    assert torch.equal(round_trip(z.conj()), z.conj())
    base = torch.arange(6.0)
    assert torch.equal(round_trip(base[::2]), base[::2])


def test_arrays_do_not_change_with_the_tensor():
    tensor = torch.zeros(3)
    structure, arrays = encode(tensor)
    tensor += 1
    assert torch.equal(decode(structure, arrays), torch.zeros(3))


@pytest.mark.parametrize(
    "tree", [object(), {1.5: 2}, {None: 1}, {True: 1}, {"a", "b"}, 1j, torch.eye(2).to_sparse()]
)
def test_what_cannot_be_stored_is_refused_by_its_place(tree):
    with pytest.raises(TypeError, match="carry/1"):
        encode((0, tree), "carry")


@pytest.mark.parametrize(
    "structure",
    [
        [],
        {},
        {"what": 1},
        {"tensor": "missing", "dtype": "float32"},
        {"tensor": "missing", "dtype": "void"},
        {"named": "os; import x", "fields": ["a"], "values": [1]},
        {"named": "S", "fields": ["a b"], "values": [1]},
    ],
)
def test_a_bad_structure_is_refused(structure):
    with pytest.raises(ValueError):
        decode(structure, {})


def test_map_keeps_what_is_no_tensor():
    odd = object()
    tree = State({"a": torch.ones(1), "b": odd}, [None, "x"])
    mapped = map_tensors(lambda t: t + 1, tree)
    assert isinstance(mapped, State)
    assert mapped.h["b"] is odd
    assert mapped.h["a"] == 2
