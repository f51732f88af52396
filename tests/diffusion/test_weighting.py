"""A weighting and a prediction are independent choices."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from imagen_lit.diffusion.prediction import Clean, Epsilon, Velocity
from imagen_lit.diffusion.schedule import LIMIT
from imagen_lit.diffusion.weighting import constant, min_snr, p2, plain, snr_plus_one

Weighting = Callable[[Tensor, Tensor], Tensor]

LOGSNR = torch.linspace(-LIMIT, LIMIT, 81, dtype=torch.float64)
SNR = LOGSNR.exp()
PREDICTIONS = [Epsilon(), Clean(), Velocity()]


def test_factors_are_finite_and_positive_in_float32(weighting: Weighting) -> None:
    for prediction in PREDICTIONS:
        factor = weighting(LOGSNR.float(), prediction.emphasis(LOGSNR.float()))
        assert factor.dtype == torch.float32 and factor.shape == LOGSNR.shape
        assert torch.isfinite(factor).all() and (factor > 0).all()


def test_a_weighting_means_the_same_for_every_prediction(weighting: Weighting) -> None:
    factors = [weighting(LOGSNR, p.emphasis(LOGSNR)) for p in PREDICTIONS]
    first, *others = [f * p.emphasis(LOGSNR) for f, p in zip(factors, PREDICTIONS, strict=True)]
    for other in others:
        torch.testing.assert_close(other, first)


@pytest.mark.parametrize(
    ("own", "kind"),
    [(plain, Epsilon()), (snr_plus_one, Velocity()), (constant, Clean())],
)
def test_each_prediction_has_a_weighting_of_one_for_its_own_error(
    own: Weighting, kind: Epsilon | Velocity | Clean
) -> None:
    logsnr = LOGSNR.float()
    assert (own(logsnr, kind.emphasis(logsnr)) == 1).all()


def test_min_snr_has_the_three_forms_that_hang_et_al_print() -> None:
    factors = {
        Clean(): SNR.clamp(max=5),
        Epsilon(): SNR.clamp(max=5) / SNR,
        Velocity(): SNR.clamp(max=5) / (SNR + 1),
    }
    for prediction, factor in factors.items():
        torch.testing.assert_close(min_snr(LOGSNR, prediction.emphasis(LOGSNR), gamma=5), factor)


def test_p2_multiplies_the_epsilon_error_as_choi_et_al_print() -> None:
    factor = 1 / (2 + SNR) ** 0.5
    torch.testing.assert_close(p2(LOGSNR, Epsilon().emphasis(LOGSNR), gamma=0.5, k=2), factor)


def test_min_snr_without_bound_and_p2_without_power_are_imagens_loss() -> None:
    for emphasis in (prediction.emphasis(LOGSNR) for prediction in PREDICTIONS):
        torch.testing.assert_close(min_snr(LOGSNR, emphasis, gamma=math.inf) * emphasis, SNR)
        torch.testing.assert_close(p2(LOGSNR, emphasis, gamma=0) * emphasis, SNR)
