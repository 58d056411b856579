"""Pairs that a translator learns from: how they are read, divided, and refused."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from elman.data import DataError, mapped
from elman.tasks.translating import examples
from elman.tasks.translating.pairs import Pairs, read_pairs, read_parallel


def pairs(count, name="pairs"):
    return Pairs(tuple(f"a {k}" for k in range(count)), tuple(f"b {k}" for k in range(count)), name)


def test_two_files_and_a_table_are_the_same(tmp_path):
    (tmp_path / "a").write_bytes("\ufeffÄ b\r\n\r\nc\u2028d\n".encode())
    (tmp_path / "b").write_text("x\ny\n z  z \n")
    (tmp_path / "t.tsv").write_text("Ä b\tx\n\ty\nc\u2028d\tz z", encoding="utf-8")
    aligned = read_pairs(tmp_path / "a", tmp_path / "b")
    table = read_pairs(tmp_path / "t.tsv")
    listed = read_pairs(["Ä b", "", "c\u2028d"], ["x", "y", " z  z "])
    assert aligned.source == table.source == listed.source == ("Ä b", "c d")
    assert aligned.target == table.target == listed.target == ("x", "z z")
    (note,) = aligned.notes
    assert note == "a and b: 1 lines without text on both sides are left out, from 2"


MEMORY = """
import sys, resource
import numpy as np
from pathlib import Path
from elman.data.vocabulary import learn_vocabulary
from elman.tasks.translating.batches import ByLength
from elman.tasks.translating.examples import prepare
from elman.tasks.translating.pairs import read_pairs, read_parallel
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
small = read_parallel(read_pairs(Path(sys.argv[1])), None, None, 0.05, 0)
ByLength(prepare(small, 300, 100, Path(sys.argv[3])).train, 64, 0)[0]
before = peak()
pairs = read_pairs(Path(sys.argv[2]))
large = read_parallel(pairs, None, None, 0.05, 0)
batches = ByLength(prepare(large, 300, 100, Path(sys.argv[3])).train, 64, 0)
batches[0]
large.sha256
print(len(pairs), len(batches), (peak() - before) >> 10)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="resource is for Unix")
def test_memory_does_not_grow_with_the_pairs(tmp_path):
    pytest.importorskip("tokenizers")

    def row(k):
        return f"{k} a dog runs over the green grass {k}\t{k} ein Hund rennt über Gras {k}\n"

    (tmp_path / "small.tsv").write_text("".join(map(row, range(2000))), encoding="utf-8")
    large = "".join(map(row, range(150_000)))
    (tmp_path / "large.tsv").write_text(large, encoding="utf-8")
    given = [tmp_path / "small.tsv", tmp_path / "large.tsv", tmp_path / "run"]
    run = [sys.executable, "-c", MEMORY, *map(str, given)]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    count, batches, megabytes = map(int, done.stdout.split())
    assert count == 150_000
    assert batches == -(-(count - 2000) // 64)
    assert megabytes < 50, "files that are mapped among it; as strings and arrays they take 115"


def test_further_fields_of_every_line_are_left_out(tmp_path):
    (tmp_path / "t.tsv").write_text("a\tb\tby me\nc\td\tby you\n")
    assert read_pairs(tmp_path / "t.tsv").target == ("b", "d")


def test_pairs_of_one_source_are_held_out_together():
    source = tuple(f"a {k % 50}" for k in range(200))
    target = tuple(f"b {k}" for k in range(200))
    found = read_parallel(Pairs(source, target, "p"), None, None, 0.1, 0)
    parts = [set(part.source) for part in (found.train, found.validation, found.test)]
    assert all(parts)
    assert len(set.union(*parts)) == sum(map(len, parts))
    assert sum(map(len, (found.train, found.validation, found.test))) == 200
    assert found.notes == ()
    assert found.sha256 != read_parallel(Pairs(source, target, "p"), None, None, 0.1, 1).sha256


def test_what_is_held_out_is_the_same_in_every_process():
    found = read_parallel(pairs(60), None, None, 0.05, 0)
    assert found.validation.source == ("a 30", "a 49", "a 59")
    assert found.test.source == ("a 4", "a 10", "a 34")


def test_what_is_held_out_does_not_depend_on_how_many_are_looked_at_together(monkeypatch):
    source = tuple(f"a {k % 90}" for k in range(200))
    given = Pairs(source, tuple(f"b {k}" for k in range(200)), "p")
    whole = read_parallel(given, None, None, 0.1, 0)
    kept = read_parallel(given, None, Pairs(source[40:50], source[40:50], "t"), 0.1, 0)
    monkeypatch.setattr(mapped, "_SPAN", 7)
    assert read_parallel(given, None, None, 0.1, 0) == whole
    assert read_parallel(given, None, Pairs(source[40:50], source[40:50], "t"), 0.1, 0) == kept
    assert any("of 10 sources of test are in training too" in note for note in kept.notes)
    assert len(set(whole.validation.source)) == len(set(whole.test.source)) == 20


def test_subwords_are_learnt_from_so_many_pairs_at_most(monkeypatch):
    seen = pairs(100)
    monkeypatch.setattr(examples, "LEARNT", 30)
    assert list(examples.texts(seen)) == [f" {w} {k}" for w in "ab" for k in range(0, 100, 4)]
    monkeypatch.setattr(examples, "LEARNT", 100)
    assert len(list(examples.texts(seen))) == 200


def test_what_is_given_is_not_held_out():
    found = read_parallel(pairs(100), pairs(5, "v"), None, 0.1, 0)
    assert (len(found.train), len(found.validation), len(found.test)) == (100, 5, 0)
    assert "5 of 5 sources of validation are in training too" in found.notes
    found = read_parallel(pairs(100), None, pairs(7, "t"), 0.1, 0)
    assert (len(found.train), len(found.validation), len(found.test)) == (90, 10, 7)


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ((["a"], None), TypeError, "source must be the pathlib.Path of a table where target is"),
        (("a", ["b"]), TypeError, "source must be a pathlib.Path or a list of str, a sentence"),
        ((["a"], b"b"), TypeError, "target must be a pathlib.Path or a list of str"),
        ((["a", 3], ["b", "c"]), TypeError, "source must be a list of str; got int at 1"),
        ((["a\ud800"], ["b"]), DataError, "line 1: text is Unicode; got half a character"),
        ((["a", "b"], ["c"]), DataError, "got 2 lines and 1"),
        (([], []), DataError, "there must be pairs with text on both sides; got 0 lines"),
        ((["", "a"], ["b", " "]), DataError, "got 2 lines, no pair"),
    ],
)
def test_pairs_that_are_none(given, kind, words):
    with pytest.raises(kind, match=re.escape(words)):
        read_pairs(*given)


def test_a_refusal_does_not_advise_what_there_is_not(tmp_path):
    path = tmp_path / "t.tsv"
    for raw in (b"a\xfc\tb\n", b"a\0\tb\n", b"\x89PNG\tb\n"):
        path.write_bytes(raw)
        with pytest.raises(DataError) as caught:
            read_pairs(path)
        assert "bytes" not in str(caught.value)
        assert "t.tsv" in str(caught.value)


def test_a_path_is_needed_for_a_table(tmp_path):
    (tmp_path / "t.tsv").write_text("a\tb\n")
    assert len(read_pairs(Path(tmp_path / "t.tsv"))) == 1
