"""Reading text: what is refused and how, what is handled, and that it is a stream."""

from pathlib import Path

import pytest

import broken_texts as broken
from elman.data import DataError, text
from elman.data.corpus import read_corpus
from elman.data.text import Source, as_sources, check_encoding


def write(tmp_path, data):
    path = tmp_path / "broken.txt"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", broken.REFUSED)
def test_a_broken_text_is_refused_with_the_place_and_the_repair(name, tmp_path):
    data, words = broken.REFUSED[name]
    with pytest.raises(DataError) as error:
        read_corpus(as_sources(write(tmp_path, data)), **broken.SETTINGS.get(name, {}))
    message = str(error.value)
    assert message.startswith("broken.txt: ")
    assert "; got " in message, "what came"
    assert message.count("; ") >= 2, "rule; got what came; the repair"
    for word in words:
        assert word in message, message


@pytest.mark.parametrize("name", broken.HANDLED)
def test_an_odd_text_is_read(name, tmp_path, monkeypatch):
    data, expected, given = broken.HANDLED[name]
    path = write(tmp_path, data)
    encoding = given.get("encoding", "utf-8")
    assert "".join(Source("t", path).blocks(encoding)) == expected
    # Wherever a block ends, within a character or an end of line, the text is the same.
    monkeypatch.setattr(text, "BLOCK", 7)
    assert "".join(Source("t", path).blocks(encoding)) == expected
    corpus = read_corpus(as_sources(path), encoding=encoding)
    assert "".join("".join(corpus.blocks(part)) for part in corpus.parts.values()) == expected


@pytest.mark.parametrize("name", ["binary", "a NUL byte", "Latin-1", "a picture", "UTF-16"])
def test_bytes_read_any_file_as_it_is(name, tmp_path):
    data = broken.REFUSED[name][0]
    corpus = read_corpus(as_sources(write(tmp_path, data)), "bytes")
    assert corpus.vocabulary.raw(corpus.tokens) == data


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path, words in (
        (tmp_path / "none.txt", ["none.txt", "no such file", "check the name"]),
        (tmp_path, ["folder", "name the files in it"]),
        (Path("a\0b"), ["the name must be one"]),
    ):
        with pytest.raises(DataError) as error:
            read_corpus(as_sources(path))
        assert all(word in str(error.value) for word in words), error.value


def test_a_file_that_may_not_be_read_is_refused(tmp_path, monkeypatch):
    path = write(tmp_path, broken.GOOD)

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match="Permission denied; check its name and permissions"):
        list(Source("t", path).blocks())


def test_a_short_text_is_no_name_whatever_is_in_it():
    for one in ("ä" * 200, "a\0b", "\ud800", "."):
        assert as_sources(one)[0].text == one


def test_half_a_character_in_a_str_is_refused_with_its_line():
    with pytest.raises(DataError, match=r"text 1: line 2: text is Unicode; got half a character"):
        read_corpus(as_sources("a\n\ud800" + "b" * 300))


def test_what_is_no_text_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("book.txt").write_bytes(broken.GOOD)
    with pytest.raises(ValueError, match=r"names a file; give pathlib.Path\('book.txt'\)"):
        as_sources("book.txt")
    for wrong in (3, b"abc", None):
        with pytest.raises(TypeError, match=r"text must be a pathlib\.Path, a str"):
            as_sources(wrong)
    with pytest.raises(TypeError, match="got int at 1"):
        as_sources(["a", 3])
    with pytest.raises(ValueError, match="at least one document"):
        as_sources([])


@pytest.mark.parametrize("name", ["utf-9", "hex", "", "rot13"])
def test_an_encoding_that_is_none_is_refused(name):
    with pytest.raises(ValueError, match="encoding must be the name of a text encoding"):
        check_encoding(name)


def test_an_encoding_that_is_no_text_is_refused():
    with pytest.raises(TypeError, match="encoding must be text"):
        check_encoding(8)
