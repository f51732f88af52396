"""Laws of `Parts`: of a small pixel some of the large pixels that it is made of are given, and the
rest of them may be anything in [-1, 1]. Exactly what such pixels can be stays as it is."""

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from imagen_lit.diffusion.constraint import Both, Parts, Pixels

SIZE, FACTOR = 8, 4


def uniform(seed: int, *shape: int) -> Tensor:
    """Numbers in [-1, 1]."""
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(*shape, generator=generator, dtype=torch.float64) - 1


def boxes(images: Tensor) -> Tensor:
    return F.avg_pool2d(images, FACTOR)


def world(seed: int) -> tuple[Tensor, Tensor, Parts]:
    """A large picture, what of it is given, and what that says of the small one."""
    large = uniform(seed, 1, 3, SIZE * FACTOR, SIZE * FACTOR)
    is_given = uniform(seed + 1, 1, 1, SIZE * FACTOR, SIZE * FACTOR) > uniform(seed + 2, 1)
    known = boxes(large * is_given)
    return large, is_given, Parts(known, boxes(is_given.to(large)))


seeds = st.integers(0, 10_000)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_whatever_the_rest_is_the_small_image_stays(seed: int) -> None:
    large, is_given, parts = world(seed)
    for rest in (uniform(seed + 3, *large.shape), -torch.ones_like(large), torch.ones_like(large)):
        small = boxes(torch.where(is_given, large, rest))
        assert (parts(small) - small).abs().max() < 1e-12


@settings(max_examples=30, deadline=None)
@given(seeds, st.floats(0.1, 9))
def test_every_estimate_becomes_the_nearest_that_the_rest_can_make(seed: int, scale: float) -> None:
    """The nearest is found by moving the rest: as far towards the estimate as [-1, 1] allows."""
    large, is_given, parts = world(seed)
    estimate = scale * uniform(seed + 4, 1, 3, SIZE, SIZE)
    share = boxes((~is_given).to(large))
    wanted = ((estimate - parts.known) / share.clamp(min=1e-9)).clamp(-1, 1)
    rest = F.interpolate(wanted, scale_factor=FACTOR)
    nearest = boxes(torch.where(is_given, large, rest))
    assert (parts(estimate) - nearest).abs().max() < 1e-12


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_a_second_time_changes_nothing(seed: int) -> None:
    parts = world(seed)[2]
    once = parts(3 * uniform(seed + 4, 2, 3, SIZE, SIZE))
    assert torch.equal(parts(once), once)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_given_whole_it_is_known_and_without_it_anything_stays(seed: int) -> None:
    x, known = 3 * uniform(seed, 1, 3, SIZE, SIZE), uniform(seed + 1, 1, 3, SIZE, SIZE)
    share = torch.ones(1, 1, SIZE, SIZE, dtype=x.dtype)
    assert torch.equal(Parts(known, share)(x), known)
    free = Parts(torch.zeros_like(known), 0 * share)
    assert torch.equal(free(x.clamp(-1, 1)), x.clamp(-1, 1))


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_it_agrees_with_the_pixels_that_are_given_whole(seed: int) -> None:
    large, is_given, parts = world(seed)
    whole = parts.share == 1
    x = 3 * uniform(seed + 4, 1, 3, SIZE, SIZE)
    both = Both(parts, Pixels(boxes(large), whole))
    assert (both(x) - parts(x)).abs().max() < 1e-12
    assert is_given.any() or not whole.any()
