"""The small rooms of `train`: optimiser groups, schedule, clipping, average, batches, history."""

import io
import json
import threading
import time

import pytest
import torch
from torch import nn

from elman.train import FitSettings
from elman.train.average import Average
from elman.train.clip import Clipper, gradient_norm, quantile
from elman.train.history import History
from elman.train.optimizer import build_optimizer
from elman.train.prefetch import Prefetch
from elman.train.progress import Bar, Lines, Progress, clock, show_progress
from elman.train.randomness import forked_generators, seed_step
from elman.train.schedule import Plateau, learning_rate


class Named(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, 2))
        self.bias_block = nn.Parameter(torch.ones(2, 2))
        self.scale = nn.Parameter(torch.ones(2))
        self.frozen = nn.Parameter(torch.ones(2, 2), requires_grad=False)


def test_only_matrices_that_are_no_bias_decay():
    model = Named()
    decaying, others = build_optimizer(model, FitSettings(weight_decay=0.3)).param_groups
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.3, 0.0)
    assert [id(p) for p in decaying["params"]] == [id(model.weight)]
    assert [id(p) for p in others["params"]] == [id(model.bias_block), id(model.scale)]


def test_a_model_without_matrices_or_of_two_dtypes_has_an_optimiser():
    model = nn.Module()
    model.a, model.b = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1).double())
    optimizer = build_optimizer(model, FitSettings())
    model.a.grad, model.b.grad = torch.ones(1), torch.ones(1).double()
    optimizer.step()
    assert model.a.item() < 1


def test_learning_rates():
    cosine = FitSettings(lr=1.0, min_lr=0.1, warmup=4)
    rates = [learning_rate(cosine, step, 14) for step in range(15)]
    assert rates[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert rates[9] == pytest.approx(0.55)
    assert rates[14] == pytest.approx(0.1)
    assert rates[4:] == sorted(rates[4:], reverse=True)
    constant = FitSettings(lr=0.5, schedule="constant", warmup=2)
    assert [learning_rate(constant, step, 9) for step in range(4)] == [0.25, 0.5, 0.5, 0.5]
    assert learning_rate(FitSettings(warmup=10), 4, 4) > 0  # a warm-up longer than the run
    plateau = FitSettings(lr=1.0, min_lr=0.3, schedule="plateau")
    assert [learning_rate(plateau, 5, 9, scale) for scale in (1.0, 0.5, 0.25)] == [1.0, 0.5, 0.3]


def test_plateau_counts_evaluations():
    plateau, settings = Plateau(), FitSettings(schedule="plateau", plateau_patience=2)
    scales = []
    for improved in [True, False, True, False, False, False, False]:
        plateau.note(improved, settings)
        scales.append(plateau.scale)
    assert scales == [1, 1, 1, 1, 0.5, 0.5, 0.25]


def parameters(*values, dtype=torch.float32):
    made = [nn.Parameter(torch.zeros(len(v), dtype=dtype)) for v in values]
    for p, v in zip(made, values, strict=True):
        p.grad = torch.tensor(v, dtype=dtype)
    return made


def test_clipping_is_torchs():
    made = parameters([3.0, 0.0], [0.0, 4.0])
    norm, cut = Clipper(FitSettings(clip_norm=1.0))(made)
    expected = parameters([3.0, 0.0], [0.0, 4.0])
    nn.utils.clip_grad_norm_(expected, 1.0)
    assert (norm, cut) == (5.0, True)
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(made, expected, strict=True))


def test_clipping_by_value_comes_first_and_the_norm_before_it_is_told():
    made = parameters([30.0, 0.1])
    norm, cut = Clipper(FitSettings(clip_norm=10.0, clip_value=1.0))(made)
    assert norm == pytest.approx(30.0, rel=1e-4)
    assert not cut
    assert made[0].grad.tolist() == pytest.approx([1.0, 0.1])


def test_a_finite_gradient_whose_squares_overflow_is_finite():
    made = parameters([3e30, 0.0], [0.0, 4e30])
    assert float(gradient_norm(made)) == pytest.approx(5e30)
    Clipper(FitSettings(clip_norm=1.0))(made)
    assert torch.cat([p.grad for p in made]).norm().item() == pytest.approx(1.0, rel=1e-5)


def test_the_quantile_of_few_numbers():
    assert [quantile([3, 1, 2, 4], share) for share in (0.1, 0.25, 0.5, 0.51, 1.0)] == [
        1,
        1,
        2,
        3,
        4,
    ]
    assert quantile([7.0], 0.5) == 7.0


def norms_after(lengths, **settings):
    """What is left of gradients that are so long, one after the other."""
    clipper = Clipper(FitSettings(clip="auto", **settings))
    found = []
    for length in lengths:
        made = parameters([length], dtype=torch.float64)
        clipper(made)
        found.append(made[0].grad.item())
    return found, clipper


def test_auto_clips_at_the_quantile_of_what_went_before():
    usual = [100.0 + k for k in range(40)]
    found, clipper = norms_after([*usual, 1e6, 100.0], clip_norm=None)
    assert found[:11] == pytest.approx([*usual[:9], 104.0, 105.0], rel=1e-6)
    assert found[40] == pytest.approx(120.0, rel=1e-6)  # the 21st of 41
    assert found[41] == 100.0
    assert clipper.pack()[-2:] == [1e6, 100.0]


def test_auto_starts_with_clip_norm():
    found, _ = norms_after([50.0] * 12, clip_norm=2.0)
    assert found == pytest.approx([2.0] * 9 + [50.0] * 3, rel=1e-6)


def test_auto_forgets_what_is_long_past_and_does_not_count_zeros():
    found, clipper = norms_after([1.0] * 20 + [9.0] * 20 + [0.0] * 20 + [90.0], clip_history=20)
    assert found[-1] == pytest.approx(9.0, rel=1e-6)
    assert clipper.pack() == [9.0] * 19 + [90.0]


def test_half_of_the_steps_may_explode():
    found, _ = norms_after([1.0, 1e9] * 30, clip_norm=1.0)
    assert max(found) == pytest.approx(1.0, rel=1e-6)


def test_auto_does_not_remember_what_is_not_finite():
    _, clipper = norms_after([1.0, float("nan"), float("inf"), 2.0])
    assert clipper.pack() == [1.0, 2.0]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_is_told(bad):
    norm, _ = Clipper(FitSettings())(parameters([1.0, bad]))
    assert not norm < float("inf")


def test_a_parameter_without_a_gradient_is_left_out():
    made = [*parameters([3.0]), nn.Parameter(torch.ones(2))]
    assert float(gradient_norm(made)) == 3.0


def test_the_average_warms_up_and_swaps_back_bit_for_bit(toy):
    model = toy.net()
    average = Average(model, 0.5)
    start = [p.detach().clone() for p in model.parameters()]
    mean = start
    for n in range(12):
        with torch.no_grad():
            for p in model.parameters():
                p.add_(torch.randn_like(p))
        average.update()
        decay = min(0.5, (1 + n) / (10 + n))
        live = [p.detach() for p in model.parameters()]
        mean = [decay * m + (1 - decay) * p for m, p in zip(mean, live, strict=True)]
    own = toy.weights(model)
    with average.swapped_in():
        for p, m in zip(model.parameters(), mean, strict=True):
            torch.testing.assert_close(p.detach(), m, rtol=1e-12, atol=1e-12)
    assert toy.same(toy.weights(model), own)
    with pytest.raises(ZeroDivisionError), average.swapped_in():
        1 / 0  # noqa: B018
    assert toy.same(toy.weights(model), own)


def test_batches_are_read_in_order_and_not_too_far_ahead(toy):
    batches = toy.Batches()
    reader = Prefetch(batches, 3, 9, ahead=2)
    time.sleep(0.05)
    assert len(batches.asked) <= 3
    for _ in range(6):
        reader.take()
    with pytest.raises(IndexError, match="past the end"):
        reader.take()
    reader.close()
    assert batches.asked == [3, 4, 5, 6, 7, 8]


def test_closing_ends_the_thread(toy):
    before = threading.active_count()
    reader = Prefetch(toy.Batches(), 0, 10**9)
    reader.take()
    reader.close()
    assert threading.active_count() == before


def test_no_thread_is_left_after_an_error(toy):
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        toy.train(loss=lambda model, batch, carry: 1 / 0)
    assert threading.active_count() == before


def test_history_keeps_what_the_checkpoint_counted(tmp_path):
    path = tmp_path / "history.jsonl"
    history = History(path)
    history.write({"step": 1, "loss": float("nan")})
    kept = history.sync()
    history.write({"step": 2})
    history.close()
    with path.open("ab") as file:
        file.write(b'{"step": 3, "lo')
    again = History(path, kept)
    again.write({"step": 2, "metrics": {"a": float("inf")}})
    again.close()
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"step": 1, "loss": None},
        {"step": 2, "metrics": {"a": None}},
    ]


def test_a_history_shorter_than_counted_keeps_its_whole_lines(tmp_path):
    path = tmp_path / "history.jsonl"
    path.write_bytes(b'{"step": 1}\n{"st')
    History(path, 500).close()
    assert path.read_bytes() == b'{"step": 1}\n'


def test_generators_are_seeded_by_seed_and_step():
    before = torch.get_rng_state()
    with forked_generators(torch.device("cpu")):
        draws = {}
        for seed in (0, 1):
            for step in (0, 1):
                seed_step(seed, step, torch.device("cpu"))
                draws[seed, step] = torch.rand(1).item()
        seed_step(1, 0, torch.device("cpu"))
        assert torch.rand(1).item() == draws[1, 0]
    assert len(set(draws.values())) == 4
    assert torch.equal(torch.get_rng_state(), before)


def test_progress_is_silent_unless_asked(toy, capfd):
    toy.train()
    assert capfd.readouterr() == ("", "")
    assert type(show_progress(None)(5, 0)) is type(show_progress(False)(5, 0)) is Progress


def test_lines_go_to_standard_error(capfd):
    with show_progress(True)(40, 0) as progress:
        assert isinstance(progress, Lines)
        progress.step(1, 0.5)
        progress.evaluated("mse 0.25")
        for step in range(2, 41):
            progress.step(step, 0.25)
    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines()[0].startswith("step 1/40  loss 0.5  about ")
    assert err.splitlines()[-1] == "step 40/40  loss 0.25  about 0 s left  mse 0.25"
    assert len(err.splitlines()) == 2


def test_a_terminal_gets_a_bar(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with show_progress(True)(10, 4) as progress:
        assert isinstance(progress, Bar)
        progress.evaluated("mse 0.25 [odd]")
        progress.step(10, 0.125)
    assert "step 10/10" in terminal.getvalue()
    assert "loss 0.125  mse 0.25 [odd]" in terminal.getvalue()


def test_clock():
    assert [clock(s) for s in (44.6, 200, 7500)] == ["45 s", "3 min 20 s", "2 h 5 min"]
