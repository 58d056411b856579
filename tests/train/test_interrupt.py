"""Ctrl-C and SIGTERM."""

import os
import signal
import subprocess
import sys
import threading

import pytest
import torch

from elman.train import FitSettings, fit

OPTIONS = {"checkpoint_seconds": None, "metric": None}


@pytest.fixture(autouse=True)
def heard():
    """SIGINT as in a terminal: what a shell starts in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def signalling(toy, at, *numbers):
    """The toy loss, which sends its own process the signals at a call."""
    calls = []

    def loss(model, batch, carry):
        calls.append(None)
        if len(calls) == at:
            for number in numbers:
                os.kill(os.getpid(), number)
        return toy.loss(model, batch, carry)

    return loss


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_stops_after_the_step_and_the_run_resumes(toy, tmp_path, number):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    whole, _ = toy.train(**OPTIONS)
    with pytest.raises(KeyboardInterrupt) as caught:
        toy.train(tmp_path, loss=signalling(toy, 7, number), **OPTIONS)
    assert str(caught.value) == (
        f"stopped by {number.name} after step 7; fit with run_dir='{tmp_path}' and resume=True "
        "goes on from step 7"
    )
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    again, result = toy.train(tmp_path, resume=True, **OPTIONS)
    assert result.resumed_from == 7
    assert toy.same(toy.weights(whole), toy.weights(again))


def test_the_second_stops_at_once_and_stores_nothing_half_done(toy, tmp_path):
    whole, _ = toy.train(**OPTIONS)
    twice = signalling(toy, 7, signal.SIGINT, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match=r"after step 6; .* goes on from step 0"):
        toy.train(tmp_path, loss=twice, **OPTIONS)
    again, _ = toy.train(tmp_path, resume=True, **OPTIONS)
    assert toy.same(toy.weights(whole), toy.weights(again))


def test_in_an_evaluation_it_stops_at_once_and_the_evaluation_is_done_again(toy, tmp_path):
    whole, expected = toy.train(checkpoint_seconds=None)

    def metric(model):
        os.kill(os.getpid(), signal.SIGINT)
        return toy.metric(model)

    with pytest.raises(KeyboardInterrupt, match=r"after step 5; .* goes on from step 5"):
        toy.train(tmp_path, metric=metric, checkpoint_seconds=None)
    again, result = toy.train(tmp_path, checkpoint_seconds=None, resume=True)
    assert toy.same(toy.weights(whole), toy.weights(again))
    assert (result.best, result.best_step) == (expected.best, expected.best_step)


def test_it_leaves_the_best_averaged_weights_in_the_model(toy):
    model = toy.net()
    loss = signalling(toy, 12, signal.SIGINT)
    seen = []

    def metric(model):
        seen.append(toy.metric(model)["mse"].item())
        return {"mse": seen[-1]}

    with pytest.raises(KeyboardInterrupt, match="after step 12; nothing was stored"):
        toy.train(model=model, loss=loss, metric=metric)
    assert toy.metric(model.eval())["mse"].item() == min(seen)


def test_in_the_last_step_it_is_not_lost(toy, tmp_path):
    whole, _ = toy.train(**OPTIONS)
    model = toy.net(dropout=0.2)
    with pytest.raises(KeyboardInterrupt, match="after step 20"):
        toy.train(tmp_path, model=model, loss=signalling(toy, 20, signal.SIGINT), **OPTIONS)
    assert toy.same(toy.weights(whole), toy.weights(model))


def test_a_signal_that_breaks_off_an_evaluation_leaves_the_weights_whole(
    toy, tmp_path, monkeypatch
):
    """Signals at many places of the work around the metric: each resumed run ends the same."""
    whole, _ = toy.train(checkpoint_seconds=None)
    copy = torch.Tensor.copy_
    for place in range(6):
        run_dir = tmp_path / str(place)
        model = toy.net(dropout=0.2)
        copies = []

        def signals(tensor, *arguments, copies=copies, copy=copy, place=place, **options):
            copies.append(None)
            if len(copies) == 1 + 2 * place:  # within the swaps of the first evaluation
                os.kill(os.getpid(), signal.SIGINT)
            return copy(tensor, *arguments, **options)

        monkeypatch.setattr(torch.Tensor, "copy_", signals)
        with pytest.raises(KeyboardInterrupt):
            toy.train(run_dir, model=model, checkpoint_seconds=None)
        monkeypatch.setattr(torch.Tensor, "copy_", copy)
        again, _ = toy.train(run_dir, checkpoint_seconds=None, resume=True)
        assert toy.same(toy.weights(whole), toy.weights(again)), place


def test_a_handler_of_the_callers_stays_in_charge(toy):
    caught = []
    before = signal.signal(signal.SIGINT, lambda number, frame: caught.append(number))
    try:
        _, result = toy.train(loss=signalling(toy, 7, signal.SIGINT))
    finally:
        signal.signal(signal.SIGINT, before)
    assert caught == [signal.SIGINT]
    assert result.steps == 20


def test_it_trains_outside_the_main_thread(toy):
    results = []
    thread = threading.Thread(target=lambda: results.append(toy.train()[1]))
    thread.start()
    thread.join()
    assert results[0].steps == 20


SCRIPT = """
import sys, time, torch
from elman.train import fit, FitSettings
class Batches:
    def __len__(self): return 10
    def __getitem__(self, k): return torch.full((2, 3), float(k % 7))
def loss(model, batch, carry):
    if slow: time.sleep(0.01)
    return (model(batch) - 1).square().mean(), carry
run_dir, slow, resume = sys.argv[1], sys.argv[2] == "slow", sys.argv[3] == "resume"
torch.manual_seed(0)
model = torch.nn.Linear(3, 1)
def on_log(line): print(line["step"], flush=True)
settings = FitSettings(steps=400, log_every=1, lr=0.01)
result = fit(model, Batches(), loss, None, settings, run_dir or None, resume=resume, on_log=on_log)
print("weights", model.weight.tolist(), model.bias.tolist())
"""


def here(monkeypatch, capsys, *arguments):
    """The script run in this process: its lines."""
    monkeypatch.setattr(sys, "argv", ["script", *map(str, arguments)])
    exec(compile(SCRIPT, "script", "exec"), {})
    return capsys.readouterr().out.splitlines()


def test_ctrl_c_in_a_process_of_its_own(tmp_path, monkeypatch, capsys):
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path), "slow", "new"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    whole = here(monkeypatch, capsys, "", "quick", "new")
    while process.stdout.readline().strip() != "20":
        assert process.poll() is None, process.stderr.read()
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    # As Python ends on KeyboardInterrupt; 1 where the library tabulate is installed, which torch
    # imports on its way out, and then Python no longer knows that it was interrupted.
    assert process.returncode in (-signal.SIGINT, 1)
    last = error.strip().splitlines()[-1]
    assert last.startswith("KeyboardInterrupt: stopped by SIGINT after step ")
    assert "resume=True goes on from step" in last
    again = here(monkeypatch, capsys, tmp_path, "quick", "resume")
    assert again[-1] == whole[-1]
    assert int(again[0]) > 20


def test_interrupts_of_a_timed_run_before_its_first_step(toy, tmp_path):
    model = toy.net()
    before = toy.weights(model)
    with pytest.raises(KeyboardInterrupt):
        fit(
            model, toy.Batches(), signalling(toy, 2, signal.SIGINT),
            settings=FitSettings(minutes=1.0), run_dir=tmp_path,
        )  # fmt: skip
    assert toy.same(toy.weights(model), before)
    assert not list((tmp_path / "checkpoints").glob("step-*"))
