import pytest
import torch
from torch import nn

from elman.train import FitSettings, fit


def test_what_fit_refuses(toy, tmp_path):
    net, batches = toy.net(), toy.Batches()
    with pytest.raises(TypeError, match="model must be"):
        fit(3, batches, toy.loss)
    with pytest.raises(TypeError, match="FitSettings"):
        fit(net, batches, toy.loss, settings={"lr": 1})
    with pytest.raises(TypeError, match="loss must be a function"):
        fit(net, batches, 3)
    with pytest.raises(TypeError, match="metric must be a function"):
        fit(net, batches, toy.loss, 3)
    with pytest.raises(TypeError, match="DataLoader"):
        fit(net, iter([1]), toy.loss)
    with pytest.raises(ValueError, match="at least one micro-batch"):
        fit(net, [], toy.loss)
    with pytest.raises(ValueError, match="patience needs a metric"):
        fit(net, batches, toy.loss, settings=FitSettings(patience=1))
    with pytest.raises(ValueError, match="plateau"):
        fit(net, batches, toy.loss, settings=FitSettings(schedule="plateau"))
    with pytest.raises(ValueError, match="give run_dir"):
        fit(net, batches, toy.loss, resume=True)
    with pytest.raises(ValueError, match="requires a gradient"):
        fit(nn.Flatten(), batches, toy.loss)
    with pytest.raises(ValueError, match="run one batch first"):
        fit(nn.LazyLinear(2), batches, toy.loss)


def test_extra_state_is_refused_only_if_it_would_be_lost(toy, tmp_path):
    class Extra(toy.Net):
        def get_extra_state(self):
            return {"x": 1}

        def set_extra_state(self, state):
            pass

    model = Extra().double()
    toy.train(model=model)
    with pytest.raises(ValueError, match="get_extra_state"):
        toy.train(tmp_path, model=model)


@pytest.mark.parametrize(
    ("returned", "error", "match"),
    [
        (lambda loss: loss, TypeError, "return .loss, None. where"),
        (lambda loss: (loss, None, None), TypeError, r"\(loss, carry\)"),
        (lambda loss: (3.0, None), TypeError, "a tensor of one number"),
        (lambda loss: (loss * torch.ones(3), None), TypeError, "take the mean"),
        (lambda loss: (loss.detach(), None), ValueError, "look for .detach"),
    ],
)
def test_what_a_loss_may_not_return(toy, returned, error, match):
    with pytest.raises(error, match=match):
        toy.train(loss=lambda model, batch, carry: returned(toy.loss(model, batch, None)[0]))


@pytest.mark.parametrize("returned", [{}, 3.0, None])
def test_what_a_metric_may_not_return(toy, returned):
    with pytest.raises(TypeError, match="to be minimised"):
        toy.train(metric=lambda model: returned)


def test_a_carry_that_cannot_be_stored_is_refused_in_the_first_step(toy, tmp_path):
    with pytest.raises(TypeError, match="carry/1 must be a tensor"):
        toy.train(tmp_path, loss=lambda m, b, c: (toy.loss(m, b, None)[0], (1, object())))
