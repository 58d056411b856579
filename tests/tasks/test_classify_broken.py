"""Broken examples: refused with file, place and repair, or read, with words for what became."""

import gzip
import json
import os

import pytest

from elman.data import DataError
from elman.tasks.classify import Classifier

ROWS = [(f"text number {k}", "yes" if k % 2 else "no") for k in range(20)]


def lines(rows, head="review,mood"):
    return "\n".join([head, *(",".join(row) for row in rows)]).encode()


def steps(rows, head="id,t,x,kind"):
    return lines(rows, head)


SERIES = [
    (f"p{k}", str(t), str(k + t), "yes" if k % 2 else "no") for k in range(8) for t in (1, 2, 3)
]
TEXTS = {"text": "review", "label": "mood"}
STEPS = {"id": "id", "time": "t", "label": "kind"}


def jsonl(*rows):
    return "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows).encode()


# name: (file, bytes, settings, what the error says)
BROKEN = {
    "no file": ("gone.csv", None, TEXTS, r"gone\.csv: path: the file must exist.*check the name"),
    "nothing in it": ("a.csv", b"", TEXTS, r"a\.csv: file: .*got nothing"),
    "header alone": ("a.csv", b"review,mood\n", TEXTS, r"a\.csv: file: rows are needed"),
    "no such column": ("a.csv", lines(ROWS), {"text": "revue"}, r"column 'revue'.*'review'"),
    "no such label": ("a.csv", lines(ROWS), TEXTS | {"label": "moood"}, r"label must be a column"),
    "no usual names": (
        "a.csv",
        lines([(*row, "1") for row in ROWS], "one,two,three"),
        {},
        r"a column of texts is needed; got one, two, three; name it with --text NAME",
    ),
    "text and label in one": (
        "a.csv",
        lines(ROWS),
        {"text": "mood", "label": "mood"},
        r"text and label are columns of their own",
    ),
    "a row too long": (
        "a.csv",
        lines([*ROWS, ("no quotes, here", "yes")]),
        TEXTS,
        r"a\.csv: line 22: each row has 2 cells.*put quotes round",
    ),
    "quotes that do not end": (
        "a.csv",
        lines(ROWS) + b'\n"no end,yes',
        TEXTS,
        r"a\.csv: line 22: cells must be well formed",
    ),
    "latin-1": (
        "a.csv",
        lines([*ROWS, ("größe".encode().decode("latin-1") + "ä", "yes")])
        .decode()
        .encode("latin-1"),
        TEXTS,
        r"a\.csv: line 22: the text must be UTF-8; got the byte 0x.*--encoding latin-1",
    ),
    "utf-16": ("a.csv", lines(ROWS).decode().encode("utf-16"), TEXTS, r"UTF-16 text"),
    "a workbook": (
        "a.xlsx",
        b"PK\x03\x04" + bytes(range(256)),
        TEXTS,
        r"a zip archive or an Excel",
    ),
    "a NUL byte": ("a.csv", lines(ROWS) + b"\n\0,yes", TEXTS, r"line 22: .*NUL byte"),
    "half a gzip": ("a.csv.gz", gzip.compress(lines(ROWS))[:-9], TEXTS, r"gzip file must be whole"),
    "copies": (
        "a.csv",
        lines([("the same", "yes"), ("and this", "no")] * 9),
        TEXTS,
        r"a class has three examples that differ.*got copies",
    ),
    "one class alone": (
        "a.csv",
        lines([(text, "yes") for text, _ in ROWS]),
        TEXTS,
        r"labels: at least two classes are needed; got 'yes' alone; add examples of another",
    ),
    "two examples of a class": (
        "a.csv",
        lines([(text, "yes") for text, _ in ROWS] + [("x", "no"), ("y", "no")]),
        TEXTS,
        r"two classes need three examples each.*2 of 'no'",
    ),
    "no labels": (
        "a.csv",
        lines([(t, "") for t, _ in ROWS]),
        TEXTS,
        r"labels are needed; got none",
    ),
    "labels that are quantities": (
        "a.csv",
        lines([(f"text {k}", str(k * 1.37)) for k in range(60)]),
        TEXTS,
        r"a class has several examples; got 60 of 60 examples",
    ),
    "several labels without a separator": (
        "a.csv",
        lines([(f"text {k}", f"a;b{k};c") for k in range(60)]),
        TEXTS,
        r"say what stands between \(label_separator\)",
    ),
    "an array of JSON": ("a.jsonl", b"[1, 2]", TEXTS, r"line 1: each line is a JSON object"),
    "JSON that does not parse": (
        "a.jsonl",
        jsonl({"review": "a", "mood": "b"}, '{"review": '),
        TEXTS,
        r"a\.jsonl: line 2: each line is a JSON object",
    ),
    "JSON deeply nested": ("a.jsonl", b"[" * 100_000, TEXTS, r"line 1: each line is a JSON object"),
    "JSON with other keys": (
        "a.jsonl",
        jsonl({"review": "a", "mood": "b"}, {"review": "a"}),
        TEXTS,
        r"line 2: each line has the same keys; got 'mood' on some lines",
    ),
    "JSON with objects within": (
        "a.jsonl",
        jsonl({"review": {"a": 1}, "mood": "b"}),
        TEXTS,
        r"line 1, key 'review': a value is text, a number or null",
    ),
    "JSON with a list of labels": (
        "a.jsonl",
        jsonl({"review": "a", "mood": ["b", "c"]}),
        TEXTS,
        r"line 1, key 'mood': a list of labels needs a separator",
    ),
    "a class that is missing in a column of one": (
        "a.csv",
        b"review\nonly texts\n",
        TEXTS,
        r"column 'mood': label must be a column; got review",
    ),
    "an id with two labels": (
        "a.csv",
        steps([*SERIES, ("p1", "4", "9", "no")]),
        STEPS,
        r"a\.csv: line 5 and 26: an id has one label; got 'yes' and 'no' for 'p1'",
    ),
    "a time that occurs twice": (
        "a.csv",
        steps([*SERIES, ("p1", "3", "9", "yes")]),
        STEPS,
        r"line 26: a time occurs once in each id; got '3' twice in 'p1'",
    ),
    "no id": (
        "a.csv",
        steps([*SERIES, ("", "3", "9", "yes")]),
        STEPS,
        r"line 26, column 'id': each row has an id; got none",
    ),
    "no numbers": (
        "a.csv",
        steps([(one, t, "word", kind) for one, t, _, kind in SERIES]),
        STEPS,
        r"a column of numbers is needed; got x; name it with --columns",
    ),
    "a word among numbers": (
        "a.csv",
        steps([*SERIES, ("p1", "4", "much", "yes")]),
        STEPS,
        r"line 26, column 'x': a value is a number.*'much'",
    ),
    "an infinity": (
        "a.csv",
        steps([*SERIES, ("p1", "4", "inf", "yes")]),
        STEPS,
        r"line 26, column 'x': values are finite",
    ),
    "a time that is none": (
        "a.csv",
        steps([*((a, f"2024-01-0{t}", x, k) for a, t, x, k in SERIES), ("p1", "soon", "1", "yes")]),
        STEPS,
        r"line 26, column 't'.*'soon'",
    ),
    "the label among the columns": (
        "a.csv",
        steps(SERIES),
        STEPS | {"columns": ("x", "kind")},
        r"id, time, label and columns differ",
    ),
    "a .ts file without data": ("a.ts", b"@problemName x\n", {}, r"a \.ts file has a line @data"),
    "a .ts file of unequal channels": (
        "a.ts",
        b"@data\n1,2,3:1,2:a\n",
        {},
        r"a\.ts: line 2: channels of equal lengths",
    ),
    "a .tsv file with a word": ("a.tsv", b"1\t2\t3\n2\tx\t4\n", {}, r"a\.tsv: line 2: values are"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_examples_are_refused_with_place_and_repair(name, tmp_path):
    file, content, settings, expected = BROKEN[name]
    path = tmp_path / file
    if content is not None:
        path.write_bytes(content)
    model = Classifier(**settings, epochs=1, hidden=2, embedding=2, no_feedforward=True)
    with pytest.raises(DataError, match=f"(?s){expected}") as found:
        model.fit(path)
    assert str(found.value).count("; got ") >= 1
    assert len(str(found.value)) < 600


def folder(root, classes):
    for name, texts in classes.items():
        (root / name).mkdir(parents=True)
        for k, text in enumerate(texts):
            (root / name / f"{k}.txt").write_bytes(text)
    return root


FOLDERS = {
    "one class": ({"pos": [b"a"]}, r"a folder holds a folder for each class; got 1 of them"),
    "empty": ({"pos": [], "neg": []}, r"texts are needed; got empty folders"),
    "binary": ({"pos": [b"a\0b"], "neg": [b"b"]}, r"pos/0\.txt: file: a text file is needed"),
    "latin": ({"pos": [b"a"], "neg": [b"\n\xe4"]}, r"neg/0\.txt: line 2: the text must be UTF-8"),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_broken_folders_are_refused(name, tmp_path):
    classes, expected = FOLDERS[name]
    with pytest.raises(DataError, match=expected):
        Classifier().read(folder(tmp_path / "data", classes))


# What is odd but can be used: name -> (file, bytes, settings, examples, a note).
ODD = {
    "rows without a label": (
        "a.csv",
        lines([*ROWS, ("unknown", ""), ("another", "NA")]),
        TEXTS,
        20,
        "2 without a label are left out, the first on line 22",
    ),
    "empty texts": ("a.csv", lines([*ROWS, ("", "yes")]), TEXTS, 21, "1 texts are empty"),
    "other separators": (
        "a.csv",
        "\n".join(["review;mood", *(";".join(row) for row in ROWS)]).encode(),
        TEXTS,
        20,
        "",
    ),
    "a byte order mark": ("a.csv", b"\xef\xbb\xbf" + lines(ROWS), TEXTS, 20, ""),
    "another encoding": (
        "a.csv",
        lines([*ROWS, ("größe", "yes")]).decode().encode("cp1252"),
        TEXTS | {"encoding": "cp1252"},
        21,
        "",
    ),
    "many scripts": (
        "a.csv",
        lines([*ROWS, ("我喜欢 😀👩‍👩‍👧 हिन्दी ‏עברית", "yes")]),
        TEXTS,
        21,
        "",
    ),
    "100,000 characters": ("a.csv", lines([*ROWS, ("word " * 20_000, "yes")]), TEXTS, 21, ""),
    "JSON lines with nulls": (
        "a.jsonl",
        jsonl(*({"review": a, "mood": b} for a, b in ROWS), {"review": None, "mood": 1}),
        TEXTS,
        21,
        "1 texts are empty",
    ),
    "JSON lists of labels": (
        "a.jsonl",
        jsonl(*({"review": a, "mood": [b, "x"]} for a, b in ROWS), {"review": "z", "mood": []}),
        TEXTS | {"label_separator": "|"},
        21,
        "1 have no label at all",
    ),
    "an id whose label stands once": (
        "a.csv",
        steps([(one, t, x, kind if t == "2" else "") for one, t, x, kind in SERIES]),
        STEPS,
        8,
        "",
    ),
    "missing numbers": (
        "a.csv",
        steps([(one, t, "" if t == "2" else x, kind) for one, t, x, kind in SERIES]),
        STEPS,
        8,
        "",
    ),
    "windows line ends": ("a.csv", lines(ROWS).replace(b"\n", b"\r\n"), TEXTS, 20, ""),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_examples_are_used_and_said(name, tmp_path):
    file, content, settings, count, note = ODD[name]
    (tmp_path / file).write_bytes(content)
    model = Classifier(**settings, epochs=1, hidden=2, embedding=2, no_feedforward=True)
    found = model.read(tmp_path / file)
    assert len(found) == count
    assert any(note in one for one in found.notes) == bool(note) or not note
    model.fit(found)
    assert len(model.predict_proba(tmp_path / file)) >= count


def test_a_table_whose_label_is_a_fraction_is_refused():
    table = {"text": ["a", "b"], "label": [1.0, 2.5]}
    with pytest.raises(
        DataError, match=r"row 1, column 'label': labels are words or whole numbers"
    ):
        Classifier().read(table)
    whole = Classifier().read({"text": ["a", "b"], "label": [1.0, 2.0]})
    assert whole.classes() == ("1", "2")


def test_a_table_of_numbers_has_no_texts():
    with pytest.raises(DataError, match=r"column 'a': texts are needed"):
        Classifier(text="a").read({"a": [1, 2], "label": ["x", "y"]})


SETTINGS = {
    "an unknown name": ({"hiden": 3}, "did you mean 'hidden'"),
    "dropout": ({"dropout": 1.0}, "dropout must be at least 0 and below 1; got 1.0"),
    "hidden": ({"hidden": 0}, "hidden must be 1 to"),
    "pooling": ({"pooling": "max,sum"}, "pooling must be one or more of max, mean, attention"),
    "tokens": ({"tokens": "bytes"}, "tokens must be one of words, characters, subwords"),
    "metric": ({"metric": "mcc"}, "metric must be one of accuracy, f1, auroc, loss"),
    "shares": ({"validation_share": 0.5, "test_share": 0.5}, "must leave a tenth to train on"),
    "text and id": ({"text": "a", "id": "b"}, "text and id must not both be given"),
    "time alone": ({"time": "t"}, "time needs id"),
    "encoding": ({"encoding": "utf-9"}, "encoding must be the name of a text encoding"),
    "few subwords": ({"tokens": "subwords", "vocabulary": 30}, "257 or more with subwords"),
    "a flag": ({"causal": 1}, "causal must be True or False"),
}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.errors
def test_settings_that_break_a_rule_are_refused(name):
    settings, expected = SETTINGS[name]
    with pytest.raises((ValueError, TypeError), match=expected):
        Classifier(**settings)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(lines(ROWS))
    path.chmod(0)
    with pytest.raises(DataError, match="the file must be readable"):
        Classifier().read(path)


def test_predicting_needs_texts_and_the_columns_of_the_training(tmp_path):
    given = {"epochs": 1, "hidden": 2, "embedding": 2, "no_feedforward": True}
    table = {"text": [a for a, _ in ROWS], "label": [b for _, b in ROWS]}
    model = Classifier(**given).fit(table)
    with pytest.raises(DataError, match=r"item 1: texts are str; got int"):
        model.predict(["a", 3])
    with pytest.raises(DataError, match=r"the file must exist"):
        model.predict("no such file")
    path = tmp_path / "new.txt"
    path.write_text("one\n\nthree\n")
    assert model.predict_proba(path).shape == (3, 2)
    numbers = {"id": ["a"] * 3 + ["b"] * 3, "x": [1, 2, 3, 4, 5, 6], "label": ["y"] * 3 + ["n"] * 3}
    many = {
        n: [v * k if n == "x" else f"{v}{k}" for k in range(5) for v in c]
        for n, c in numbers.items()
    }
    many["label"] = [one[0] for one in many["label"]]
    other = Classifier(**given, id="id").fit(many)
    with pytest.raises(DataError, match=r"columns are those of the training: x; got z"):
        other.predict({"id": ["a", "a"], "z": [1, 2]})
