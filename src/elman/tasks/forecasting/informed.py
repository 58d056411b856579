"""Networks without a memory that see covariates, as the recurrent one does."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from elman.nn.baselines import FeedForward, LinearMap, zero_
from elman.tasks.forecasting.covariates import checked, regression
from elman.tasks.forecasting.splits import Shape


class Informed(nn.Module):
    """A network of the window alone and, beside it, all covariates.

    Those known ahead have the same regression as in `SegmentNetwork`. All of them, of every step
    of the window and of the forecast, enter a linear map; and the hidden layer of a FeedForward.
    Both begin without influence.

    Axes: B batch, L window, K = h, P = L + K; Eh, Ef, Es covariates.

    Args:
        inner: forecasts K values from a window of L.
        shape: sizes.
        n_hist, n_futr, n_stat: how many covariates there are of each kind.
    """

    def __init__(self, inner: nn.Module, shape: Shape, n_hist: int, n_futr: int, n_stat: int):
        super().__init__()
        self.inner, self.sizes = inner, (n_hist, n_futr, n_stat)
        self.effect = zero_(nn.Linear(n_futr, 1)) if n_futr else None
        self.beside = zero_(nn.Linear(flat_size(shape, n_hist, n_futr, n_stat), shape.h))

    def forward(
        self,
        x: Float[Tensor, "B L"],
        hist: Float[Tensor, "B L Eh"] | None = None,
        futr: Float[Tensor, "B P Ef"] | None = None,
        static: Float[Tensor, "B Es"] | None = None,
    ) -> Float[Tensor, "B K"]:
        """From windows (B, L) to forecasts (B, K).

        Raises:
            ValueError: a covariate is missing, or one too much.
        """
        known = checked(self.sizes, (hist, futr, static))
        moved = regression(self.effect, known, x.shape[1])
        residual = x if moved is None else x - moved[:, : x.shape[1]]
        flat = torch.cat([one.flatten(1) for one in known if one is not None], 1)
        with_hidden = isinstance(self.inner, FeedForward)
        out: Tensor = self.inner(residual, flat) if with_hidden else self.inner(residual)
        # At the rate of the linear map of the window, as it has as many weights an input.
        out = out + LinearMap.RATE * self.beside(flat)
        return out if moved is None else out + moved[:, x.shape[1] :]


def flat_size(shape: Shape, n_hist: int, n_futr: int, n_stat: int) -> int:
    """Numbers of all covariates of a window and its forecast."""
    return n_hist * shape.window + n_futr * (shape.window + shape.h) + n_stat


def informed(network: nn.Module, shape: Shape, sizes: dict[str, int]) -> nn.Module:
    """The network with the covariates that there are: itself where there are none."""
    return Informed(network, shape, **sizes) if any(sizes.values()) else network
