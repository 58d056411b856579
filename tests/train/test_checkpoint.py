"""Resuming, damaged files, folders that cannot be written."""

import errno
import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from elman.train import checkpoint, folder
from elman.train.history import History
from elman_runtime import files, model_file


class Stopped(Exception):
    pass


def stop_at(toy, micro_batch):
    """The toy loss, which fails at the given call: an end as sudden as any within a process."""
    calls = []

    def loss(model, batch, carry):
        calls.append(None)
        if len(calls) > micro_batch:
            raise Stopped
        return toy.loss(model, batch, carry)

    return loss


def broken_off(toy, run_dir, at=13, **options):
    with pytest.raises(Stopped):
        toy.train(run_dir, loss=stop_at(toy, at), **options)


def files_in(run_dir):
    return sorted((run_dir / "checkpoints").glob("step-*"))


def lines_of(run_dir):
    lines = [json.loads(line) for line in (run_dir / "history.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]


OPTIONS = {"checkpoint_every": 3, "checkpoint_seconds": None, "keep_checkpoints": 3}


@pytest.fixture
def whole(toy, tmp_path):
    model, result = toy.train(tmp_path / "whole", **OPTIONS)
    return toy.weights(model), result, lines_of(tmp_path / "whole")


@pytest.mark.parametrize("at", [0, 1, 2, 3, 4, 13, 19])
def test_a_resumed_run_ends_the_same(toy, tmp_path, whole, at):
    run_dir = tmp_path / "run"
    broken_off(toy, run_dir, at, **OPTIONS)
    batches = toy.Batches()
    model = toy.net(dropout=0.2, seed=99)  # the weights come from the checkpoint
    _, result = toy.train(run_dir, model=model, batches=batches, resume=True, **OPTIONS)
    assert toy.same(toy.weights(model), whole[0])
    assert result.resumed_from == at // 3 * 3
    assert batches.asked == list(range(at // 3 * 3, 20))
    assert (result.best, result.best_step) == (whole[1].best, whole[1].best_step)
    assert result.clipped == whole[1].clipped
    assert lines_of(run_dir) == whole[2]


def test_the_norms_of_adaptive_clipping_are_resumed(toy, tmp_path):
    quick = {"clip": "auto", "clip_history": 10, "clip_quantile": 0.3, "metric": None}
    options = {**OPTIONS, **quick}
    model, whole = toy.train(**options)
    broken_off(toy, tmp_path, **options)
    again, result = toy.train(tmp_path, resume=True, **options)
    assert toy.same(toy.weights(again), toy.weights(model))
    assert 0 < whole.clipped == result.clipped
    fixed, _ = toy.train(**{**options, "clip": "norm"})
    assert not toy.same(toy.weights(fixed), toy.weights(model))


def test_every_optimiser_and_schedule_resumes(toy, tmp_path):
    for name in ["adam", "nadam", "radam", "rmsprop", "sgd"]:
        options = {**OPTIONS, "optimizer": name, "schedule": "plateau", "plateau_patience": 1}
        model, _ = toy.train(**options)
        broken_off(toy, tmp_path / name, **options)
        again, _ = toy.train(tmp_path / name, resume=True, **options)
        assert toy.same(toy.weights(model), toy.weights(again)), name


def test_a_run_killed_before_its_first_checkpoint_starts_afresh(toy, tmp_path, whole):
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "run" / "history.jsonl").write_text('{"step": 1}\n')
    model, result = toy.train(tmp_path / "run", resume=True, **OPTIONS)
    assert result.resumed_from is None
    assert toy.same(toy.weights(model), whole[0])
    assert lines_of(tmp_path / "run") == whole[2]


def test_a_finished_run_is_loaded_and_may_be_extended(toy, tmp_path):
    model, first = toy.train(tmp_path, schedule="constant", steps=10)
    batches = toy.Batches()
    again, same = toy.train(tmp_path, batches=batches, schedule="constant", steps=10, resume=True)
    assert batches.asked == []
    assert toy.same(toy.weights(model), toy.weights(again))
    assert (same.steps, same.best, same.resumed_from) == (10, first.best, 10)
    longer, more = toy.train(tmp_path, schedule="constant", steps=25, resume=True)
    at_once, _ = toy.train(schedule="constant", steps=25)
    assert more.steps == 25
    assert toy.same(toy.weights(longer), toy.weights(at_once))


def test_a_run_stopped_by_patience_goes_on_with_more(toy, tmp_path):
    def metric(model):
        return {"m": 1.0}

    options = {"metric": metric, "evaluate_every": 2}
    assert toy.train(tmp_path, patience=2, **options)[1].steps == 6
    assert toy.train(tmp_path, patience=2, resume=True, **options)[1].steps == 6
    assert toy.train(tmp_path, patience=4, resume=True, **options)[1].steps == 10


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"lr": 0.02}, "lr must be what the run was started with, 0.01"),
        ({"seed": 1}, "seed must be"),
        ({"betas": (0.5, 0.9)}, "betas must be"),
        ({"minutes": 1.0}, "minutes cannot be given"),
        ({"steps": 5}, "must not be below the 10 steps"),
    ],
)
def test_other_settings_are_refused_by_name(toy, tmp_path, change, match):
    toy.train(tmp_path, steps=10)
    before = [(p.name, p.read_bytes()) for p in files_in(tmp_path)]
    with pytest.raises(ValueError, match=match):
        toy.train(tmp_path, resume=True, **{"steps": 10, **change})
    assert [(p.name, p.read_bytes()) for p in files_in(tmp_path)] == before


def test_another_model_or_other_data_is_refused(toy, tmp_path):
    toy.train(tmp_path)
    with pytest.raises(ValueError, match=r"rnn.weight_ih_l0 is \(21, 2\) .* in the checkpoint"):
        toy.train(tmp_path, model=toy.Net(units=7).double(), resume=True)
    with pytest.raises(ValueError, match=r"torch\.float32 here and .* torch\.float64"):
        toy.train(tmp_path, model=toy.net(dtype=torch.float32), resume=True)
    with pytest.raises(ValueError, match="5 an epoch; got 6"):
        toy.train(tmp_path, batches=toy.Batches(6), resume=True)


def test_a_run_is_never_overwritten(toy, tmp_path):
    toy.train(tmp_path)
    with pytest.raises(FileExistsError, match="resume=True"):
        toy.train(tmp_path)


def test_two_processes_do_not_share_a_folder(toy, tmp_path):
    folder.prepare(tmp_path, resume=True)
    with folder.locked(tmp_path), pytest.raises(BlockingIOError, match="another process trains"):
        toy.train(tmp_path)
    toy.train(tmp_path)


def flip(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


DAMAGE = {
    "empty": lambda data: b"",
    "half": lambda data: data[: len(data) // 2],
    "one byte short": lambda data: data[:-1],
    "one byte more": lambda data: data + b"\0",
    "header bit": lambda data: flip(data, 200),
    "tensor bit": lambda data: flip(data, len(data) - 9),
    "zeros": lambda data: bytes(len(data)),
    "garbage": lambda data: bytes(range(256)) * 20,
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(toy, tmp_path, whole, how):
    run_dir = tmp_path / "run"
    broken_off(toy, run_dir, **OPTIONS)
    newest = files_in(run_dir)[-1]
    assert newest.name == "step-00000012.safetensors"
    newest.write_bytes(DAMAGE[how](newest.read_bytes()))
    with pytest.warns(UserWarning, match=re.escape(str(newest))):
        model, result = toy.train(run_dir, resume=True, **OPTIONS)
    assert result.resumed_from == 9
    assert toy.same(toy.weights(model), whole[0])
    assert lines_of(run_dir) == whole[2]
    assert newest.with_name(newest.name + ".damaged").exists()


def test_any_flipped_bit_is_found(toy, tmp_path):
    toy.train(tmp_path, steps=2)
    path = files_in(tmp_path)[-1]
    data = path.read_bytes()
    draw = torch.Generator().manual_seed(0)
    for at in torch.randint(len(data), (150,), generator=draw).tolist():
        path.write_bytes(flip(data, at))
        with pytest.raises(ValueError, match="step-00000002"):
            checkpoint.read(path)
    path.write_bytes(data)
    checkpoint.read(path)


def test_if_all_are_damaged_nothing_is_started_or_renamed(toy, tmp_path):
    toy.train(tmp_path)
    names = files_in(tmp_path)
    for path in names:
        path.write_bytes(b"x" * 100)
    with pytest.raises(ValueError, match="restore the folder from a copy"):
        toy.train(tmp_path, resume=True)
    assert files_in(tmp_path) == names


def test_a_model_file_in_place_of_a_checkpoint_is_no_checkpoint(toy, tmp_path):
    toy.train(tmp_path)
    model_file.write(files_in(tmp_path)[-1], {"kind": "model"}, {})
    with pytest.warns(UserWarning, match="must be a checkpoint"):
        toy.train(tmp_path, resume=True)


def test_what_a_killed_write_left_is_cleared(toy, tmp_path):
    checkpoints = tmp_path / "checkpoints"
    broken_off(toy, tmp_path, **OPTIONS)
    (checkpoints / ".elman-0123456789abcdef.tmp").write_bytes(b"half")
    toy.train(tmp_path, resume=True, **OPTIONS)
    assert sorted(p.name for p in checkpoints.iterdir()) == [
        ".lock", "step-00000015.safetensors", "step-00000018.safetensors",
        "step-00000020.safetensors",
    ]  # fmt: skip


def test_only_the_newest_are_kept(toy, tmp_path):
    toy.train(tmp_path, checkpoint_every=2, keep_checkpoints=2)
    assert [p.name[5:13] for p in files_in(tmp_path)] == ["00000018", "00000020"]


def test_checkpoints_by_time(toy, tmp_path):
    toy.train(tmp_path, steps=6, checkpoint_seconds=0.0, keep_checkpoints=9)
    assert len(files_in(tmp_path)) == 7


def test_the_carry_is_handed_on_in_the_middle_of_an_epoch(toy, tmp_path):
    from collections import namedtuple

    Carry = namedtuple("Carry", "h seen words")

    def loss(model, batch, carry):
        given.append(carry)
        h, seen = (None, 0) if carry is None else (carry.h, carry.seen)
        value, h = toy.loss(model, batch, h)
        return value, Carry(h, seen + 1, {"last": ("a", [1.5, None])})

    def stopping(model, batch, carry):
        if len(given) == 7:
            raise Stopped
        return loss(model, batch, carry)

    given = []
    whole, _ = toy.train(loss=loss)
    expected, given = given, []
    with pytest.raises(Stopped):
        toy.train(tmp_path, loss=stopping, checkpoint_every=1)
    given = []
    again, _ = toy.train(tmp_path, loss=loss, checkpoint_every=1, resume=True)
    assert toy.same(toy.weights(whole), toy.weights(again))
    assert type(given[0]).__name__ == "Carry"
    assert given[0].seen == 2
    assert given[0].words == {"last": ("a", [1.5, None])}
    assert torch.equal(given[0].h, expected[7].h)


@contextmanager
def failing_writes(monkeypatch, number, after):
    """Writing files fails with the errno after `after` good ones, as a full disk would."""
    good = files._fill
    calls = []

    def fill(temporary, data, mode):
        calls.append(None)
        if len(calls) <= after:
            return good(temporary, data, mode)
        temporary.write_bytes(b"part")
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(files, "_fill", fill)
        yield


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_a_disk_that_fills_up_keeps_what_is_there(toy, tmp_path, monkeypatch, whole, number):
    run_dir = tmp_path / "run"
    with failing_writes(monkeypatch, number, after=3), pytest.raises(OSError) as caught:
        toy.train(run_dir, **OPTIONS)
    assert caught.value.errno == number
    assert str(run_dir) in str(caught.value)
    assert "resume=True" in str(caught.value)
    assert sorted(p.name for p in (run_dir / "checkpoints").iterdir())[1:] == [
        f"step-{step:08d}.safetensors" for step in (0, 3, 6)
    ]
    model, _ = toy.train(run_dir, resume=True, **OPTIONS)
    assert toy.same(toy.weights(model), whole[0])


def test_a_folder_that_cannot_be_made(toy, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="choose another folder"):
        toy.train(tmp_path / "file" / "run")
    with pytest.raises(OSError, match="choose another folder"):
        toy.train(tmp_path / "file")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_history_that_cannot_be_written(tmp_path):
    history = History(tmp_path / "history.jsonl")
    history.close()
    with Path("/dev/full").open("wb", buffering=0) as full:
        history._file = full
        with pytest.raises(OSError, match=r"history\.jsonl: the disk is full; free some space"):
            history.write({"step": 1})


LIMITED = """
import resource, signal, sys
import torch
from elman.train import fit, FitSettings
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
torch.manual_seed(0)
model = torch.nn.Linear(300, 1)
class Batches:
    def __len__(self): return 3
    def __getitem__(self, k): return torch.ones(2, 300) * k
def loss(model, batch, carry):
    if carry is None: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
    return model(batch).square().mean(), 0
try:
    fit(model, Batches(), loss, settings=FitSettings(steps=5), run_dir=sys.argv[1])
except OSError as error:
    print(error)
"""


def test_a_file_size_limit_in_a_process(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "raise the limit" in done.stdout
    assert str(tmp_path) in done.stdout
    assert [p.name for p in files_in(tmp_path)] == ["step-00000000.safetensors"]
    assert not list((tmp_path / "checkpoints").glob("*.tmp"))
    checkpoint.read(files_in(tmp_path)[0])


def test_no_pickle_is_read_or_written(toy, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("pickle")

    for name in ("save", "load"):
        monkeypatch.setattr(torch, name, refuse)
    monkeypatch.setattr("pickle.dumps", refuse)
    monkeypatch.setattr("pickle.loads", refuse)
    broken_off(toy, tmp_path)
    toy.train(tmp_path, resume=True)
