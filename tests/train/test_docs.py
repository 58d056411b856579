"""The page on training runs as it stands."""

import dataclasses
import re
from pathlib import Path

from elman.train import FitSettings

PAGE = Path(__file__).parents[2] / "docs" / "train.md"


def test_the_examples_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(compile(code, str(PAGE), "exec"), names)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("100 {'mse': 0.0")
    assert second == "100 120"
    assert names["value"].item() < 0.05


def test_every_setting_is_in_the_table():
    text = PAGE.read_text()
    assert [f.name for f in dataclasses.fields(FitSettings) if f"`{f.name}`" not in text] == []
