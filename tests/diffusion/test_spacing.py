"""Laws of every spacing of a sampler's steps."""

import pytest
import torch

from imagen_lit.diffusion.schedule import Cosine, Linear, Schedule
from imagen_lit.diffusion.spacing import EDM, LogSNR, Spacing, Time

F64 = {"dtype": torch.float64}


@pytest.mark.parametrize("steps", [1, 2, 3, 16, 1000])
def test_a_spacing_falls_from_one_to_zero(spacing: Spacing, schedule: Schedule, steps: int) -> None:
    times = spacing(schedule, steps)
    assert len(times) == steps + 1 and times[0] == 1 and times[-1] == 0
    assert (times.float().diff() < 0).all()


def test_each_spacing_is_uniform_in_what_its_name_says() -> None:
    torch.testing.assert_close(Time()(Linear(), 4), torch.tensor([1, 0.75, 0.5, 0.25, 0], **F64))
    for schedule in (Cosine(), Linear()):
        logsnrs = schedule(LogSNR(5.0)(schedule, 7)[1:-1])
        torch.testing.assert_close(logsnrs[-1], torch.tensor(5.0, **F64))
        steps = logsnrs.diff()
        torch.testing.assert_close(steps, torch.full_like(steps, 10 / 6))
        sigmas = torch.exp(-schedule(EDM(3.0, 0.1, 10.0)(schedule, 7)[1:-1]) / 2)
        torch.testing.assert_close(sigmas[-1], torch.tensor(0.1, **F64))
        steps, step = sigmas.pow(1 / 3).diff(), (0.1 ** (1 / 3) - 10 ** (1 / 3)) / 6
        torch.testing.assert_close(steps, torch.full_like(steps, step))


def test_the_ends_are_those_that_the_schedule_has() -> None:
    """A linear schedule's cleanest image has a noise of 0.01, above the 0.002 of EDM."""
    for spacing in (LogSNR(30.0), EDM(sigma_min=1e-9, sigma_max=1e9)):
        for schedule in (Cosine(), Linear()):
            times = spacing(schedule, 50)
            assert 0 < times[-2] < 2e-4 and 0.9 < times[1] < 1


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: LogSNR(0.0), r"spacing\.limit=0"),
        (lambda: EDM(rho=-1.0), r"spacing\.rho=-1"),
        (lambda: EDM(sigma_min=3.0, sigma_max=2.0), r"sigma_min=3\.0 .* Set sigma_min=0\.002"),
        (lambda: EDM(sigma_min=0.0), r"sigma_min=0\.0 .* Set sigma_min=0\.002"),
    ],
)
def test_a_spacing_that_cannot_be_is_refused(make: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()
