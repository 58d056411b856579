"""Texts as tokens: parts, documents, what is stored, and how little memory it takes."""

import itertools
import subprocess
import sys

import numpy as np
import pytest

from elman.data import DataError
from elman.data.corpus import load_corpus, read_corpus, save_corpus
from elman.data.text import as_sources
from elman.data.vocabulary import BOUNDARY, UNKNOWN

TEXT = "".join(f"{k} green bottles hanging on the wall\n" for k in range(60))


def text_of(corpus, part):
    return "".join(corpus.blocks(part))


@pytest.mark.parametrize("kind", ["characters", "bytes", "subwords"])
def test_parts_are_shares_of_the_text_in_order(kind):
    if kind == "subwords":
        pytest.importorskip("tokenizers", reason="needs tokenizers: pip install 'elman[text]'")
    corpus = read_corpus(as_sources(TEXT), kind, 300 if kind == "subwords" else 0)
    n = len(TEXT)
    assert [p.units for p in corpus.parts.values()] == [
        round(0.8 * n),
        round(0.9 * n) - round(0.8 * n),
        n - round(0.9 * n),
    ]
    ends = [0, round(0.8 * n), round(0.9 * n), n]
    for part, a, b in zip(corpus.parts.values(), ends[:-1], ends[1:], strict=True):
        assert text_of(corpus, part) == TEXT[a:b]
    assert corpus.train.start == 0
    assert corpus.test.stop == corpus.tokens.size
    assert corpus.tokens[0] == corpus.tokens[-1] == BOUNDARY
    assert (np.asarray(corpus.tokens) == BOUNDARY).sum() == 2


def test_the_vocabulary_is_that_of_the_training_part():
    corpus = read_corpus(as_sources("ab" * 400 + "c" * 100 + "d" * 100))
    assert [piece.decode() for piece in corpus.vocabulary.pieces[2:]] == ["a", "b"]
    assert set(corpus.tokens[corpus.test.start : corpus.test.stop - 1].tolist()) == {UNKNOWN}


def test_documents_stand_between_boundaries_in_the_order_given(tmp_path):
    texts = ["first " * 30, "second " * 30, "", "third " * 30]
    paths = []
    for k, text in enumerate(texts):
        paths.append(tmp_path / f"{k}.txt")
        paths[-1].write_text(text)
    corpus = read_corpus(as_sources(paths))
    tokens = np.asarray(corpus.tokens)
    at = np.flatnonzero(tokens == BOUNDARY)
    found = [corpus.vocabulary.decode(tokens[a + 1 : b]) for a, b in itertools.pairwise(at)]
    assert [text.replace("\ufffd", "") for text in found[:2]] == texts[:2]
    assert len(found) == corpus.documents == 3
    assert corpus.names == ("0.txt", "1.txt", "3.txt")
    assert corpus.notes == ("2.txt is empty and left out",)
    assert sum(p.units for p in corpus.parts.values()) == sum(map(len, texts))


def test_two_parts_where_nothing_is_to_be_chosen():
    corpus = read_corpus(as_sources(TEXT), shares=(0.9, 0.0))
    assert corpus.validation.units == len(corpus.validation) == 0
    assert text_of(corpus, corpus.train) == TEXT[: round(0.9 * len(TEXT))]


def test_what_is_stored_is_the_same_and_any_change_is_noticed(tmp_path):
    made = read_corpus(as_sources(TEXT))
    assert load_corpus(tmp_path) is None
    saved = save_corpus(made, tmp_path)
    found = load_corpus(tmp_path)
    for one in (saved, found):
        assert np.array_equal(one.tokens, made.tokens)
        assert isinstance(one.tokens, np.memmap)
    assert (found.parts, found.names, found.sha256) == (made.parts, made.names, made.sha256)
    assert found.vocabulary.pieces == made.vocabulary.pieces
    del saved, found
    path = tmp_path / "tokens.bin"
    whole = path.read_bytes()
    for spoilt in (whole[:-1], whole[:10] + bytes([whole[10] ^ 1]) + whole[11:], b""):
        path.write_bytes(spoilt)
        with pytest.raises(DataError, match="start"):
            load_corpus(tmp_path)
    path.unlink()
    with pytest.raises(DataError, match="must be whole"):
        load_corpus(tmp_path)


def test_the_same_text_has_the_same_digest_however_it_comes(tmp_path):
    (tmp_path / "a.txt").write_bytes(TEXT.replace("\n", "\r\n").encode())
    file, text = (read_corpus(as_sources(x)) for x in (tmp_path / "a.txt", TEXT))
    assert file.sha256 == text.sha256
    assert read_corpus(as_sources([TEXT[:400], TEXT[400:]])).sha256 != text.sha256


MEMORY = """
import resource, sys
from pathlib import Path
from elman.data.corpus import read_corpus
from elman.data.text import as_sources
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
corpus = read_corpus(as_sources(Path(sys.argv[1])), sys.argv[2])
print(corpus.tokens.size, (peak() - before) >> 10)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="resource is for Unix")
def test_memory_does_not_grow_with_the_text(tmp_path):
    path = tmp_path / "large.txt"
    block = TEXT * 200
    with path.open("w") as file:
        for _ in range(100):
            file.write(block)
    size = len(block) * 100
    assert size > 40e6
    run = [sys.executable, "-c", MEMORY, str(path), "characters"]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    tokens, megabytes = map(int, done.stdout.split())
    assert tokens == size + 2
    assert megabytes < 60, "a block takes about twenty times its size for a moment"


@pytest.mark.parametrize("kind", ["characters", "bytes"])
def test_the_head_of_a_part_has_its_own_length(kind):
    corpus = read_corpus(as_sources(["ä" * 150, "bc" * 100]), kind, shares=(0.0, 0.0))
    assert corpus.head(corpus.test, 10**6) is corpus.test
    head = corpus.head(corpus.test, 31)
    assert (len(head), head.units) == (31, 30), "the boundary is no part of the text"
    other = corpus.head(corpus.test, 201 if kind == "characters" else 351)
    assert other.units == (199 if kind == "characters" else 349)
