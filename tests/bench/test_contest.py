"""What the benchmarks of speed share: numbers first, absences said, points kept."""

import json
import subprocess
from argparse import Namespace

import pytest
import torch


@pytest.fixture
def contest(bench):
    return bench("contest")


@pytest.fixture
def results(bench, contest, monkeypatch, tmp_path):
    for module in (contest, bench("timing")):
        monkeypatch.setattr(module, "RESULTS", tmp_path)
    return tmp_path


def gives(contest, *values):
    tensors = [torch.tensor(value) for value in values]
    return contest.Contestant(lambda: tensors)


def test_wrong_numbers_are_refused_with_the_name_of_who_has_them(contest):
    makers = {
        "torch": lambda: gives(contest, [1.0, 2.0], 3.0),
        "other": lambda: gives(contest, [1.0, 2.0], 3.1),
    }
    with pytest.raises(AssertionError, match="other: h"):
        contest.measure(makers, reference="torch", labels=["y", "h"], terms=1, rounds=1)


def test_a_contestant_with_a_result_too_few_is_refused(contest):
    pair = {"torch": gives(contest, 1.0, 2.0), "other": gives(contest, 1.0)}
    with pytest.raises(ValueError, match="zip"):
        contest.check(pair, "torch", ["y", "h"], 1)


def test_a_rough_one_is_timed_and_its_difference_is_told(contest):
    def rough():
        return gives(contest, 1.1)._replace(rough=True)

    makers = {"torch": lambda: gives(contest, 1.0), "other": rough}
    found = contest.measure(makers, reference="torch", labels=["y"], terms=1, rounds=1)
    assert found.check["other"] > 1e3
    assert "other" in found.seconds


def test_who_cannot_take_part_is_said_with_the_reason(contest):
    def never():
        raise contest.Absent("not installed")

    makers = {"torch": lambda: gives(contest, 1.0), "JAX": never}
    found = contest.measure(makers, reference="torch", labels=["y"], terms=1, rounds=1)
    assert found.absent == {"JAX": "not installed"}
    record = {**found._asdict(), "seconds": {**found.seconds, "elman": found.seconds["torch"]}}
    assert "JAX                   no time: not installed" in contest.standings(record)


def test_what_is_only_compared_is_not_timed_and_what_stands_beside_is(contest):
    makers = {name: lambda: gives(contest, 1.0) for name in ("torch", "Recurrent")}
    found = contest.measure(
        makers,
        reference="torch",
        labels=["y"],
        terms=1,
        rounds=1,
        untimed=["Recurrent"],
        beside={"part": list},
    )
    assert set(found.seconds) == {"torch", "part"}
    assert set(found.check) == {"Recurrent"}


def test_a_pass_has_outputs_and_gradients_or_outputs_alone(contest):
    x = torch.tensor([2.0, 3.0], requires_grad=True)
    train = contest.torch_pass(lambda: [x * x], [x], [torch.tensor([1.0, 10.0])])()
    assert [t.tolist() for t in train] == [[4.0, 9.0], [4.0, 60.0]]
    (infer,) = contest.torch_pass(lambda: [x * x])()
    assert not infer.requires_grad


def flags(**changed):
    return Namespace(**{"again": False, "append": True, "engine": None, **changed})


def measured(contest, count):
    count.append(1)
    return {"seconds": {"elman": (0.2, 0.1, 0.3)}, "n": len(count)}


def test_a_kept_point_is_not_measured_again(contest, results, monkeypatch):
    monkeypatch.setattr(contest, "commit", lambda *_: "abc")
    count = []

    def once(key, **changed):
        return contest.once("layers", key, lambda: measured(contest, count), flags(**changed))

    first = once({"cell": "GRU", "shape": (1, 2)})
    assert once({"cell": "GRU", "shape": (1, 2)})["n"] == 1
    assert first["seconds"]["elman"].median == 0.2
    assert once({"cell": "GRU", "shape": (1, 3)})["n"] == 2
    assert once({"cell": "GRU", "shape": (1, 2)}, engine="torch")["n"] == 3
    assert once({"cell": "GRU", "shape": (1, 2)}, again=True)["n"] == 4
    assert once({"cell": "GRU", "shape": (1, 2)})["n"] == 4  # the last one counts
    monkeypatch.setattr(contest, "commit", lambda *_: "def")
    assert once({"cell": "GRU", "shape": (1, 2)}, append=False)["n"] == 5
    lines = (results / "layers.jsonl").read_text().splitlines()
    assert [json.loads(line)["n"] for line in lines] == [1, 2, 3, 4]


def test_the_commit_tells_what_differs_from_it(contest, monkeypatch, tmp_path):
    monkeypatch.setattr(contest, "ROOT", tmp_path)
    monkeypatch.setattr(contest, "SOURCES", ("lib",))

    def git(*words):
        mine = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-C", str(tmp_path)]
        subprocess.run(["git", *mine, *words], check=True, capture_output=True)

    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "a.py").write_text("1")
    (tmp_path / "other.txt").write_text("1")
    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    clean = contest.commit()
    assert "-" not in clean
    (tmp_path / "other.txt").write_text("2")
    assert contest.commit() == clean
    assert contest.commit("other.txt") != clean
    found = {clean}
    for name, text in (("a.py", "2"), ("a.py", "3"), ("new.py", "1"), ("new.py", "2")):
        (tmp_path / "lib" / name).write_text(text)
        found.add(contest.commit())
    assert len(found) == 5
