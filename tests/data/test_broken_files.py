"""Broken and odd files: each is refused with the place and the repair, or handled and said."""

import pytest

import broken
from elman.cli import main
from elman.data import DataError, read_panel


def write(tmp_path, data):
    path = tmp_path / "broken.csv"
    path.write_bytes(data)
    return path


def test_there_are_enough_of_them():
    assert len(broken.REFUSED) >= 50
    assert broken.ARGUMENTS.keys() <= broken.REFUSED.keys()


@pytest.mark.parametrize("name", broken.REFUSED)
def test_a_broken_file_is_refused_with_the_place_and_the_repair(name, tmp_path):
    data, words = broken.REFUSED[name]
    with pytest.raises(DataError) as error:
        read_panel(write(tmp_path, data), **broken.ARGUMENTS.get(name, {}))
    message = str(error.value)
    assert message.startswith("broken.csv: ")
    assert "; got " in message, "what came"
    assert message.count("; ") >= 2, "rule; got what came; the repair"
    for word in words:
        assert word in message, message


@pytest.mark.parametrize("name", broken.REFUSED)
def test_the_command_line_says_the_same_without_a_traceback(name, tmp_path, capsys):
    path = write(tmp_path, broken.REFUSED[name][0])
    given = broken.ARGUMENTS.get(name, {})
    flags = [
        word
        for key, value in given.items()
        for word in (
            f"--{key.replace('_', '-')}",
            value if isinstance(value, str) else ",".join(value),
        )
    ]
    with pytest.raises(SystemExit) as end:
        main((), ["data", str(path), *flags])
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (2, "")
    with pytest.raises(DataError) as error:
        read_panel(path, **given)
    assert err == f"elman: {error.value}\n"


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path, word in ((tmp_path / "none.csv", "no such file"), (tmp_path, "folder")):
        with pytest.raises(DataError, match=word):
            read_panel(path)


def test_a_missing_column_names_the_nearest(tmp_path):
    path = write(tmp_path, b"date,sales\n2024-01-01,1\n2024-01-02,2\n")
    with pytest.raises(DataError, match="did you mean 'sales'"):
        read_panel(path, target_col="sale")
    with pytest.raises(DataError, match="columns of their own"):
        read_panel(path, target_col="sales", time_col="sales")


@pytest.mark.parametrize("name", broken.HANDLED)
def test_an_odd_file_is_handled_and_it_is_said(name, tmp_path):
    text, said = broken.HANDLED[name]
    panel = read_panel(write(tmp_path, text.encode()))
    assert said in "\n".join(panel.understood.lines())
