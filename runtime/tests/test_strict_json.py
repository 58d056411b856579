"""JSON with one meaning."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman_runtime import strict_json
from elman_runtime.model_file import ModelFileError

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def parse(text):
    return strict_json.parse(text, "f", "meta")


def depth(value):
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


def canonical(value):
    return strict_json.canonical(value, "f", "meta")


@settings(derandomize=True, deadline=None)
@given(JSON)
def test_round_trip(value):
    text = canonical(value)
    assert parse(text) == value
    assert canonical(parse(text)) == text


def test_the_spelling_is_one():
    assert canonical({"b": (1, 2.5), "a": "é\n"}) == '{"a":"é\\n","b":[1,2.5]}'.encode()
    assert canonical({"b": 1, "a": 2}) == canonical({"a": 2, "b": 1})


@settings(derandomize=True, deadline=None)
@given(JSON, st.integers(0, 70))
def test_depth_is_what_the_parser_sees(value, wrapped):
    for _ in range(wrapped):
        value = [value]
    text = json.dumps(value).encode()
    if depth(value) <= strict_json.MAX_DEPTH:
        assert parse(text) == value
    else:
        with pytest.raises(ModelFileError, match="at most 64 levels"):
            parse(text)


@settings(derandomize=True, deadline=None)
@given(st.text(alphabet='[]{}",:\\ \'tn1eu"\ud800', max_size=40))
def test_any_text_is_a_value_or_one_error(text):
    raw = text.encode("utf-8", "surrogatepass")
    try:
        value = parse(raw)
    except ModelFileError as error:
        assert str(error).startswith("f: meta: ")  # noqa: PT017 - either outcome is right
    else:
        assert json.loads(raw) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "must be JSON"),
        (b"{", "must be JSON"),
        (b"{} {}", "must be JSON"),
        (b"\xef\xbb\xbf{}", "must be JSON"),
        (b'{"a": "\xff"}', "must be UTF-8; got byte 0xff at 7"),
        (b'{"a": 1, "b": 2, "a": 3}', "keys are unique; got 'a' twice"),
        (b'[{"x": [{"a": 1, "a": 1}]}]', "keys are unique"),
        (b'{"a": NaN}', "numbers are finite; got NaN"),
        (b'{"a": -Infinity}', "numbers are finite; got -Infinity"),
        (b"[1e999]", "numbers fit in 64 bits; got '1e999'"),
        (b"[" + b"9" * 5000 + b"]", "must be JSON"),
        (b'["\\ud800"]', "must be JSON"),
        (b'{"\\udfff": 1}', "must be JSON"),
        (b"[" * 65 + b"]" * 65, "at most 64 levels"),
        (b"[" * 1_000_000, "at most 64 levels"),
        (b'{"a":' * 100_000, "at most 64 levels"),
        (b'"' + b'\\"' * 1_000_000, "must be JSON"),
        (b'["' + b"[" * 100 + b'", ' + b"[" * 64, "at most 64 levels"),
    ],
    ids=lambda value: value[:20].decode("latin-1") if isinstance(value, bytes) else "",
)
def test_refused(text, words):
    with pytest.raises(ModelFileError, match=r"^f: meta: ") as caught:
        parse(text)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 400


def test_brackets_in_strings_are_no_depth():
    value = {"a": "[" * 1000, '\\"{': '"[{\\' * 100, "{\\": '\\\\"[[', "b": '"' * 300 + "[" * 99}
    assert parse(json.dumps(value).encode()) == value
    assert parse(b"[" * 64 + b"]" * 64)
    assert parse(b"[" + b"[]," * 100_000 + b"[]]")


def test_escaped_pairs_of_surrogates_are_text():
    assert parse(b'"\\ud83d\\ude00"') == "\N{GRINNING FACE}"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": {1: 2}}, "meta.a: keys are str; got 1"),
        ({"a": [0, float("nan")]}, "meta.a[1]: numbers are finite; got nan"),
        ({"a": object}, "meta.a: values are dict"),
        ({"a": b"x"}, "got bytes b'x'"),
        ({"a": {1, 2}}, "got set"),
        (["\ud800"], "must be text"),
        ({"\ud800": 1}, "must be text"),
        (10**5000, "must be JSON"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_values_that_are_no_json(value, words):
    with pytest.raises(ModelFileError) as caught:
        canonical(value)
    assert words in str(caught.value)


def test_values_within_themselves():
    value = []
    value.append(value)
    with pytest.raises(ModelFileError, match="at most 64 levels"):
        canonical(value)


def test_what_is_written_can_be_read():
    value = 1
    for _ in range(64):
        value = [value]
    assert parse(canonical(value)) == value
    with pytest.raises(ModelFileError, match="at most 64 levels"):
        canonical([value])
