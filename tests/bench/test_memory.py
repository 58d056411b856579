"""Tasks and networks of bench/memory.py, and one run of it, made small."""

import gzip
from argparse import Namespace

import numpy as np
import pytest
import torch


@pytest.fixture
def tasks(bench):
    return bench("memory_tasks")


@pytest.fixture
def models(bench):
    return bench("memory_models")


@pytest.fixture
def digits(tmp_path):
    """Files like those of MNIST: 5,010 images to learn from, ten to test on."""
    numbers = np.random.default_rng(0)
    for part, count in (("train", 5010), ("t10k", 10)):
        images = numbers.integers(0, 256, count * 784, dtype=np.uint8).tobytes()
        labels = numbers.integers(0, 10, count, dtype=np.uint8).tobytes()
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(bytes(16) + images))
        (tmp_path / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(bytes(8) + labels))
    return tmp_path


def test_adding_marks_one_number_in_each_half_and_asks_for_their_sum(tasks):
    x, y = tasks.adding(30).batch(3, 7, 40)
    assert x.shape == (40, 30, 2)
    assert torch.equal(x[:, :15, 1].sum(1), torch.ones(40))
    assert torch.equal(x[:, 15:, 1].sum(1), torch.ones(40))
    chosen = x[..., 0][x[..., 1] == 1].view(40, 2)
    torch.testing.assert_close(y, chosen.sum(1))
    assert 0 <= x[..., 0].min() < 0.1 < 0.9 < x[..., 0].max() <= 1


def test_copying_shows_a_word_then_nothing_then_a_sign(tasks):
    task = tasks.copying(12)
    x, y = task.batch(0, 0, 5)
    assert x.shape == (5, 32, 9)
    assert torch.equal(x[:, :10].argmax(-1), y)
    assert not x[:, 10:21].any()
    assert (x[:, 21].argmax(-1) == 8).all()
    assert not x[:, 22:].any()
    assert task.read == 10


def test_batches_are_functions_of_seed_and_number(tasks):
    for task in (tasks.adding(30), tasks.copying(5)):
        same, again = task.batch(1, 2, 4), task.batch(1, 2, 4)
        assert all(torch.equal(a, b) for a, b in zip(same, again, strict=True))
        for other in (task.batch(1, 3, 4), task.batch(2, 2, 4)):
            assert not torch.equal(same[0], other[0])
        kept = [torch.cat([x for x, _ in task.whole(s)]) for s in (tasks.VALIDATION, tasks.TEST)]
        assert len(kept[0]) == 1000
        assert not torch.equal(*kept)


def test_digits_are_split_and_permuted_in_one_order(tasks, digits):
    plain, permuted = tasks.mnist(digits, False), tasks.mnist(digits, True)
    (x, y), (z, w) = plain.whole(tasks.TEST)[0], permuted.whole(tasks.TEST)[0]
    assert x.shape == (10, 784, 1)
    assert torch.equal(y, w)
    order = np.random.default_rng(0).permutation(784)
    assert torch.equal(x[:, order], z)
    assert sum(len(a) for a, _ in plain.whole(tasks.VALIDATION)) == 5000
    held = torch.cat([a for a, _ in plain.whole(tasks.VALIDATION)])
    seen = plain.batch(0, 0, 10)[0]
    assert not (held[:, None] == seen[None]).all(-1).all(-1).any()


def test_the_score_of_a_right_and_of_a_constant_answer(tasks):
    task = tasks.copying(5)
    right = [torch.nn.functional.one_hot(y, 8).float() for _, y in task.whole(tasks.TEST)]
    answers = iter(right)
    assert task.score(lambda x: next(answers), tasks.TEST) == 0.0
    almost = [r.clone() for r in right]
    almost[0][0, 3] = almost[0][0, 3].roll(1)
    answers = iter(almost)
    assert task.score(lambda x: next(answers), tasks.TEST) == pytest.approx(1e-3)
    assert tasks.adding(30).score(lambda x: torch.ones(len(x)), tasks.TEST) == pytest.approx(
        1 / 6, rel=0.1
    )


@pytest.mark.parametrize("kind", ["adding", "copying", "sequential", "permuted"])
def test_every_network_runs_and_learns_something(kind, tasks, models, digits):
    task = {
        "adding": lambda: tasks.adding(20),
        "copying": lambda: tasks.copying(10),
        "sequential": lambda: tasks.mnist(digits, False),
        "permuted": lambda: tasks.mnist(digits, True),
    }[kind]()
    x, y = task.batch(0, 0, 2)
    if x.shape[1] == 784:
        x = x[:, :40]
    for name, spec in models.NETWORKS[kind].items():
        model = models.Reader(spec, task)
        said = model(x)
        assert said.shape == (2, task.read, task.outputs), name
        task.loss(model, (x, y))[0].backward()
        for parameter_name, parameter in model.named_parameters():
            assert parameter.grad is not None or not parameter.requires_grad, parameter_name


def test_the_feedforward_network_is_as_large(tasks, models):
    task = tasks.adding(600)
    size = sum(p.numel() for p in models.LastSteps(task, 20_000).parameters())
    assert size == pytest.approx(20_000, rel=0.05)


def test_a_run_is_stopped_where_the_task_is_done(bench, tasks, models):
    memory, task = bench("memory"), tasks.copying(1)
    spec = models.Spec("LRU", 32, lasting=True, times=4, frozen=models.LRU_FROZEN, lr=1e-2)
    found = memory.one_run(task, lambda: models.Reader(spec, task), 0, 3.0, spec.lr, False)
    assert found["reached"]
    assert found["validation"] == 0.0
    assert found["test"] < 0.01
    assert 0 < found["seconds"] < 180


def test_the_table(bench, tasks, models, monkeypatch, tmp_path, capsys):
    memory = bench("memory")
    monkeypatch.setattr(bench("timing"), "RESULTS", tmp_path)
    given = Namespace(
        table="adding", minutes=0.005, only=["MinGRU, length", "constant"], first=0, seeds=2,
        progress=False, again=True,
    )  # fmt: skip
    memory.table(tasks.adding(20), given)
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("MinGRU, length")
    assert "of 2" in lines[2]
    assert lines[3].startswith("constant")
    assert len(lines) == 4


def test_kept_runs_are_those_of_the_last_commit(bench, monkeypatch, tmp_path, capsys):
    memory, timing = bench("memory"), bench("timing")
    monkeypatch.setattr(timing, "RESULTS", tmp_path)
    one = {"task": "copying 500", "network": "LRU", "limit": 5.0, "parameters": 7, "seconds": 60.0}
    for commit, seed, test in (("a", 0, 0.9), ("b", 0, 0.5), ("b", 1, 0.2), ("b", 0, 0.0)):
        timing.append("memory", {**one, "commit": commit, "seed": seed, "test": test})
    timing.append("memory", {**one, "task": "adding 600", "commit": "b", "seed": 0, "test": 9e-4})
    memory.kept_runs()
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "copying 500"
    assert lines[3].split() == ["LRU", "7", "0.10000", "(0.20000)", "1", "of", "2", "1.0", "5"]
    assert lines[-1].split()[3:] == ["(0.00090)", "1", "of", "1", "1.0", "5"]
