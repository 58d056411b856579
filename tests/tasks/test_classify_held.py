"""Examples that are read as a stream are those that are held in memory, to the last bit."""

import gzip
import hashlib
import json
import tracemalloc
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from elman.data import DataError
from elman.data.lines import Lines
from elman.tasks.classify import Classifier, ClassifySettings
from elman.tasks.classifying import linear, page, splits
from elman.tasks.classifying.batches import Bunches
from elman.tasks.classifying.examples import Examples
from elman.tasks.classifying.held import Flags, Labels, Numbered, Tokens, in_runs, lengths_of
from elman.tasks.classifying.learning import divided
from elman.tasks.classifying.reader import sizes, tokens_of
from elman_runtime.bag import features_of

DRAW = np.random.Generator(np.random.Philox(4))
WORDS = ["fine", "dull", "film", "plot", "the", "a,", 'so "good"', "größe", "😀"]
TEXTS = [" ".join(DRAW.choice(WORDS, int(n))) for n in DRAW.integers(0, 9, 240)]
LABELS = [["yes", "no", ""][int(k)] for k in DRAW.choice(3, 240, p=[0.5, 0.45, 0.05])]
LABELS = [label or "yes" * (not text) for text, label in zip(TEXTS, LABELS, strict=True)]
SMALL = {"hidden": 5, "embedding": 5, "epochs": 2, "batch_size": 16, "longest": 6}


def written(folder, kind):
    """The same examples in a file of that kind."""
    path = folder / f"a.{kind}"
    frame = pl.DataFrame({"review": TEXTS, "mood": LABELS})
    if kind == "csv":
        frame.write_csv(path)
    elif kind == "csv.gz":
        path.write_bytes(gzip.compress(frame.write_csv().encode()))
    elif kind == "jsonl":
        rows = ({"review": a, "mood": b or None} for a, b in zip(TEXTS, LABELS, strict=True))
        path.write_text("".join(json.dumps(row) + "\r\n" for row in rows), encoding="utf-8")
    else:
        frame.write_parquet(path, row_group_size=50)
    return path


def in_memory(found):
    """The same examples, held as Python has them."""
    return replace(found, inputs=tuple(found.inputs), names=tuple(found.names))


def weights(model):
    state = model.fitted.network.state_dict()
    return hashlib.sha256(b"".join(v.numpy().tobytes() for v in state.values())).hexdigest()


@pytest.mark.parametrize("tokens", ["words", "words+subwords", "characters"])
def test_a_stream_trains_the_weights_that_memory_does(tokens, tmp_path):
    model, other = (Classifier(**SMALL, tokens=tokens) for _ in range(2))
    found = model.read(written(tmp_path, "csv"))
    assert isinstance(found.inputs, Lines)
    model.fit(found)
    other.fit(in_memory(found))
    assert weights(model) == weights(other)
    assert model.evaluate() == other.evaluate()
    assert model.fitted.understood == other.fitted.understood
    one, two = model.fitted, other.fitted
    assert page.worst(one, model.settings, one.judged) == page.worst(
        two, model.settings, two.judged
    )
    assert np.array_equal(model.predict_proba(found), other.predict_proba(list(found.inputs)))


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "jsonl", "parquet"])
def test_blocks_of_rows_are_the_whole(kind, tmp_path, monkeypatch):
    path = written(tmp_path, kind)
    whole = Classifier().read({"review": TEXTS, "mood": LABELS})
    for where in ("table.BLOCK", "files_in._PARQUET_BLOCK", "files_in._FIRST_ROWS", "text.BLOCK"):
        monkeypatch.setattr(f"elman.data.{where}", 700 if "FIRST" not in where else 7)
    found = Classifier().read(path)
    assert found.inputs == whole.inputs
    assert list(found.labels) == list(whole.labels)
    assert found.notes[0] == whole.notes[0]
    kept = [k for k, label in enumerate(LABELS) if label]
    first = 0 if kind == "parquet" else 1 if kind == "jsonl" else 2
    assert list(found.names) == [str(k + first) for k in kept]
    word = "row" if kind == "parquet" else "line"
    assert found.places[-1] == f"{word} {kept[-1] + first}"
    raw = gzip.decompress(path.read_bytes()) if kind == "csv.gz" else path.read_bytes()
    assert found.sha256 == hashlib.sha256(raw).hexdigest()


def test_a_packed_parquet_file_is_read_too(tmp_path):
    path = tmp_path / "a.parquet.gz"
    path.write_bytes(gzip.compress(written(tmp_path, "parquet").read_bytes()))
    assert len(Classifier().read(path)) == sum(map(bool, LABELS))


def test_a_folder_names_its_files(tmp_path, monkeypatch):
    monkeypatch.setattr("elman.data.table.BLOCK", 50)
    for k, (text, label) in enumerate(zip(TEXTS, LABELS, strict=True)):
        if label:
            (tmp_path / label).mkdir(exist_ok=True)
            (tmp_path / label / f"{k:03d}.txt").write_text(text, encoding="utf-8")
    found = Classifier().read(tmp_path)
    no = [k for k, label in enumerate(LABELS) if label == "no"]
    assert found.inputs[: len(no)] == tuple(TEXTS[k].strip() for k in no)
    assert found.names[0] == found.places[0] == f"no/{no[0]:03d}.txt"


@pytest.mark.parametrize(
    ("kind", "broken", "expected"),
    [
        ("csv", b"one cell too,many,\n", r"a\.csv: line 242: each row has 2 cells"),
        ("csv", b"\xff,yes\n", r"a\.csv: line 242: the text must be UTF-8; got the byte 0xff"),
        ("csv", b"\0,yes\n", r"a\.csv: line 242: CSV is text; got a NUL byte"),
        ("csv", b'"x\n\ny,yes\n', r"a\.csv: line 244: cells must be well formed"),
        ("jsonl", b'{"review": "a"}', r"a\.jsonl: line 241: each line has the same keys"),
        ("jsonl", b'{"review": 1, ', r"a\.jsonl: line 241: each line is a JSON object"),
    ],
)
def test_what_breaks_a_rule_far_down_is_named(kind, broken, expected, tmp_path, monkeypatch):
    path = written(tmp_path, kind)
    path.write_bytes(path.read_bytes() + broken)
    for where in ("table.BLOCK", "text.BLOCK"):
        monkeypatch.setattr(f"elman.data.{where}", 700)
    with pytest.raises(DataError, match=expected):
        Classifier().read(path)


def test_a_quantity_far_down_a_table_is_named(monkeypatch):
    monkeypatch.setattr("elman.tasks.classifying.tables._ROWS", 7)
    table = {"text": TEXTS, "label": [1.0] * 239 + [1.5]}
    with pytest.raises(DataError, match=r"row 239, column 'label': labels are words"):
        Classifier().read(table)


def slow_parts(found, shares, seed):
    """`divide`, an example at a time."""
    draw = np.random.Generator(np.random.Philox(key=[seed, 7]))
    together, classes, common = {}, {}, {}
    for k, one in enumerate(found.inputs):
        together.setdefault(" ".join(one.lower().split()), []).append(k)
    for group in together.values():
        classes.setdefault(found.labels[group[0]], []).append(group)
    for labels, groups in sorted(classes.items()):
        rare = len(labels) != 1 and len(groups) < 10
        common.setdefault(("\0several",) if rare else labels, []).extend(groups)
    parts = ([], [], [])
    for groups in common.values():
        first, second = splits._sizes(len(groups), shares)
        for place, k in enumerate(draw.permutation(len(groups)).tolist()):
            parts[1 if place < first else 2 if place < first + second else 0].extend(groups[k])
    return [sorted(part) for part in parts]


@pytest.mark.parametrize("several", [False, True])
def test_parts_are_those_of_an_example_at_a_time(several):
    draw = np.random.Generator(np.random.Philox(8))
    texts = tuple(f"{'A' if k % 3 else 'a'} {draw.integers(150)}  b" for k in range(400))
    names = ["x", "y", "z", "w"]
    sets = [tuple(n for n in names if draw.random() < 0.3) for _ in texts]
    labels = Labels.of(sets if several else [(names[draw.integers(4)],) for _ in texts])
    found = Examples("t", texts, (), labels, texts, texts)
    made = splits.divide(found, (0.2, 0.1), 3)
    assert [part.tolist() for part in (made.train, made.validation, made.test)] == slow_parts(
        found, (0.2, 0.1), 3
    )


def test_firsts_are_those_of_equal_keys(monkeypatch):
    draw = np.random.Generator(np.random.Philox(9))
    known = draw.integers(0, 1 << 64, 70, np.uint64)
    for bucket in (16, 2):
        monkeypatch.setattr(splits, "_BUCKET", bucket)
        for count in (0, 1, 5, 300):
            keys = known[draw.integers(0, 70, count)]
            seen = {}
            expected = [seen.setdefault(key, k) for k, key in enumerate(keys.tolist())]
            assert splits._firsts(keys).tolist() == expected


def slow_plan(lengths, rows, seed, epoch):
    """The examples of each batch of an epoch: in pools of 50 batches sorted by length."""
    draw = np.random.Generator(np.random.Philox(key=[seed, 1], counter=epoch))
    order = draw.permutation(len(lengths)).tolist()
    pools = [order[k : k + 50 * rows] for k in range(0, len(order), 50 * rows)]
    whole = [k for pool in pools for k in sorted(pool, key=lengths.__getitem__)]
    found = [whole[k : k + rows] for k in range(0, len(order), rows)]
    return [found[k] for k in draw.permutation(len(found))]


def test_batches_are_those_of_an_example_at_a_time():
    draw = np.random.Generator(np.random.Philox(5))
    texts = [np.full(int(n), k + 1) for k, n in enumerate(draw.integers(1, 9, 330))]
    flags = draw.random((330, 2)) < 0.5
    bunches = Bunches(Tokens(in_runs(texts), 400), flags, True, 3, 7, 5)
    assert len(bunches) == 110
    for epoch in (0, 1):
        plan = slow_plan([min(5, len(one)) for one in texts], 3, 7, epoch)
        for k, rows in enumerate(plan):
            batch = bunches[110 * epoch + k]
            assert (batch.x[:, 0] - 1).tolist() == rows
            assert batch.lengths.tolist() == [min(5, len(texts[row])) for row in rows]
            assert np.array_equal(batch.y.numpy(), flags[rows].astype(np.float32))


def test_flags_are_the_labels():
    model = Classifier(**SMALL, label_separator=";", no_feedforward=True)
    topics = [";".join(w for w in ("film", "plot", "the") if w in text) for text in TEXTS]
    model.fit({"text": TEXTS, "label": topics})
    found = model.read({"text": TEXTS[:9], "label": topics[:9]})
    flags = model.fitted.reader.flags(found).whole()
    assert [
        ";".join(name for name, has in zip(model.classes_, row, strict=True) if has)
        for row in flags.tolist()
    ] == topics[:9]
    assert found.labels.counts() == {
        name: sum(name in one for one in topics[:9])
        for name in model.classes_
        if any(name in one for one in topics[:9])
    }


def test_flags_are_an_array_of_them():
    draw = np.random.Generator(np.random.Philox(10))
    table, codes = draw.random((5, 3)) < 0.5, draw.integers(0, 5, 90)
    found, expected = Flags(table, codes), table[codes]
    assert (len(found), found.shape) == (90, (90, 3))
    assert np.array_equal(found.whole(), expected)
    assert np.array_equal(found[codes], expected[codes])
    assert np.array_equal(found[:7], expected[:7])
    assert np.array_equal(found.sum(0), expected.sum(0))
    assert np.array_equal(found.mean(0), expected.mean(0))


@pytest.mark.parametrize("count", [1, 2, 7, 90])
def test_sizes_are_the_least_the_median_and_the_largest(count):
    lengths = np.random.Generator(np.random.Philox(count)).integers(0, 50, count)
    found = sizes(Tokens(in_runs([np.zeros(n, int) for n in lengths.tolist()]), 2))
    assert found == (lengths.min(), int(np.median(lengths)), lengths.max())


@pytest.mark.parametrize("width", [0, 3])
def test_runs_of_tokens_are_those_of_each_text(width, monkeypatch):
    draw = np.random.Generator(np.random.Philox(11))
    shape = (width,) if width else ()
    texts = [draw.integers(0, 300, (int(n), *shape)) for n in draw.integers(0, 6, 60)]
    monkeypatch.setattr("elman.tasks.classifying.held._RUN", 8)
    for given in (texts, Tokens(in_runs(texts), 300, width)):
        runs = list(in_runs(given))
        assert len(runs) > 5
        assert all(len(ids) == lengths.sum() for ids, lengths in runs)
        assert np.array_equal(np.concatenate([ids for ids, _ in runs]), np.concatenate(texts))
        assert np.concatenate([each for _, each in runs]).tolist() == list(map(len, texts))
    assert list(in_runs([])) == list(in_runs(Tokens([], 300, width))) == []


@pytest.mark.parametrize("tokens", [1, 40, 1 << 31])
def test_features_of_many_texts_are_those_of_each(tokens):
    # Of so many tokens a feature and its text are not one number but for two texts at a time.
    draw = np.random.Generator(np.random.Philox(6))
    texts = [draw.integers(0, min(40, tokens), int(n)) for n in draw.integers(0, 12, 90)]
    found, each = linear.features_of_texts(np.concatenate(texts), lengths_of(texts), tokens)
    expected = [features_of(ids, tokens) for ids in texts]
    assert np.array_equal(found, np.concatenate(expected))
    assert each.tolist() == list(map(len, expected))


def test_blocks_of_words_end_with_the_text_that_fills_them(monkeypatch):
    monkeypatch.setattr(linear, "_BLOCK", 5)
    monkeypatch.setattr(linear, "_SAMPLE", 2)
    texts = [np.arange(n) for n in (3, 0, 1, 3, 9, 2, 1)]
    bag = linear.Bag(texts, 20)
    # Of 5, 0, 1, 5, 17, 3 and 1 words and pairs.
    sizes = [len(one.offsets) for one in bag.rows(texts).blocks]
    assert sizes == [3, 2, 2]
    assert [len(one.offsets) for one in bag.rows([]).blocks] == [0]
    assert [len(one.offsets) for one in bag.rows(texts[:3]).blocks] == [3]


def test_words_and_pairs_in_many_blocks_are_those_of_one(monkeypatch):
    draw = np.random.Generator(np.random.Philox(6))
    texts = [draw.integers(2, 40, int(n)) for n in draw.integers(0, 12, 300)]
    whole = linear.Bag(texts, 40)
    weight = torch.randn(whole.rows(texts).features, 3, requires_grad=True)
    monkeypatch.setattr(linear, "_BLOCK", 64)
    monkeypatch.setattr(linear, "_SAMPLE", 4)
    parts = linear.Bag(texts, 40)
    assert np.array_equal(parts.keys, whole.keys)
    rows = parts.rows(texts)
    monkeypatch.undo()
    assert len(rows.blocks) > 20
    assert len(whole.rows(texts).blocks) == 1
    y = rows.times(weight), whole.rows(texts).times(weight)
    assert torch.equal(*y)
    up = torch.randn_like(y[0])
    torch.testing.assert_close(*(torch.autograd.grad(one, weight, up)[0] for one in y))


@pytest.mark.parametrize("block", [1 << 20, 64])
def test_the_most_frequent_words_and_pairs_are_kept(block, monkeypatch):
    monkeypatch.setattr(linear, "_BLOCK", block)
    monkeypatch.setattr(linear, "_SAMPLE", 4)
    monkeypatch.setattr(linear, "_MOST_FEATURES", 30)
    draw = np.random.Generator(np.random.Philox(6))
    texts = [draw.integers(2, 12, int(n)) for n in draw.integers(0, 12, 300)]
    keys, counts = np.unique(
        np.concatenate([features_of(ids, 12) for ids in texts]), return_counts=True
    )
    expected = np.sort(keys[np.argsort(-counts, kind="stable")[:30]])
    assert np.array_equal(linear.Bag(texts, 12).keys, expected)


def test_what_is_held_is_what_was_given():
    places = Numbered("line ", np.arange(2, 400))
    assert (len(places), places[3], list(places[1:3])) == (398, "line 5", ["line 3", "line 4"])
    assert list(places.pick(np.array([300, 0]))) == ["line 302", "line 2"]
    texts = [np.array([1, 70_000]), np.zeros(0, np.int64), np.array([5])]
    found = Tokens(in_runs(texts), 70_001)
    assert [one.tolist() for one in found] == [one.tolist() for one in texts]
    assert [one.tolist() for one in found[1:]] == [[], [5]]
    assert found[0].dtype == np.int64
    assert lengths_of(found).tolist() == lengths_of(texts).tolist() == [2, 0, 1]
    wide = Tokens(in_runs([np.arange(6).reshape(2, 3)]), 300, 3)
    assert wide[0].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert wide.lengths.tolist() == [2]
    assert Labels.of([("a",), (), ("a",)])[1:].codes.tolist() == [1, 0]


def test_tokens_lie_where_their_texts_do():
    lexicon = Classifier(**SMALL).fit({"text": TEXTS, "label": LABELS}).fitted.reader.lexicon
    assert isinstance(tokens_of(lexicon, tuple(TEXTS)), list)
    own = Classifier().read({"text": TEXTS, "label": LABELS}).inputs
    for a, b in zip(tokens_of(lexicon, own), tokens_of(lexicon, tuple(own)), strict=True):
        assert np.array_equal(a, b)


SPANS = {
    "elman.data.mapped": {"_HELD": 500, "_SMALL": 500, "_SPAN": 500},
    "elman.data.lines": {"_TOGETHER": 200},
    "elman.data.table": {"BLOCK": 1 << 14},
    "elman.data.text": {"BLOCK": 1 << 14},
    "elman.tasks.classifying.held": {"_RUN": 1000},
    "elman.tasks.classifying.splits": {"_BUCKET": 8},
}


def test_memory_does_not_grow_with_the_texts(tmp_path, monkeypatch):
    for module, values in SPANS.items():
        for name, value in values.items():
            monkeypatch.setattr(f"{module}.{name}", value)
    path, peaks = tmp_path / "a.csv", []

    def stage(do, *given):
        tracemalloc.reset_peak()
        made = do(*given)
        peaks[-1].append(tracemalloc.get_traced_memory()[1])
        return made

    def trained_on(train):
        bunches = Bunches(train.encoded, train.flags, False, 32, 0, 400)
        return bunches[0], sizes(train.encoded)

    for count in (1_000, 3_000, 15_000):
        words = ((k % 97, k % 89, k % 83, "yes" if k % 2 else "no") for k in range(count))
        rows = "".join("{} dog {} runs {},{}\n".format(*own) for own in words)
        path.write_text(f"text,label\n{rows}", encoding="utf-8")
        del rows
        peaks.append([])
        tracemalloc.start()
        try:
            found = stage(Classifier().read, path)
            data = stage(divided, found, ClassifySettings(), 0)
            stage(trained_on, data.train)
        finally:
            tracemalloc.stop()
    grown = np.subtract(peaks[2], peaks[1]) / 12_000
    assert (grown < 2).all(), "bytes that an example takes to read, to divide, to be trained on"
