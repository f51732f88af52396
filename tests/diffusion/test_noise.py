"""Numbers that are a function of (seed, position, purpose), and nothing else."""

import hashlib
import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from imagen_lit.diffusion.noise import normal, times, uniform

MANY = torch.arange(8_000)
GAMMA = 0x9E3779B97F4A7C15


def distance_to_cdf(values: Tensor) -> float:
    """Kolmogorov-Smirnov: the largest gap between values in [0, 1] and the uniform law."""
    values = values.double().sort().values
    ranks = torch.arange(len(values) + 1) / len(values)
    return max((ranks[1:] - values).max().item(), (values - ranks[:-1]).max().item())


def correlation(a: Tensor, b: Tensor) -> float:
    return torch.corrcoef(torch.stack([a.flatten().double(), b.flatten().double()]))[0, 1].item()


def test_an_image_gets_the_same_numbers_in_any_batch_bit_for_bit() -> None:
    together = normal(7, torch.tensor([3, 10**12, 5, 0]), "noise", (3, 8, 8))
    alone = normal(7, torch.tensor([10**12]), "noise", (3, 8, 8))
    assert torch.equal(together[1:2], alone)
    assert torch.equal(together.flip(0), normal(7, [0, 5, 10**12, 3], "noise", (3, 8, 8)))
    assert torch.equal(uniform(7, [3, 10**12, 5], "drop")[1:2], uniform(7, [10**12], "drop"))
    assert torch.equal(times(7, [3, 10**12, 5])[1:2], times(7, [10**12]))


def test_torchs_own_generator_is_neither_used_nor_moved() -> None:
    torch.manual_seed(1)
    first = normal(0, MANY[:4], "noise", (5,))
    state = torch.get_rng_state()
    torch.manual_seed(2)
    assert torch.equal(first, normal(0, MANY[:4], "noise", (5,)))
    torch.manual_seed(1)
    assert torch.equal(state, torch.get_rng_state())


def word(seed: int, position: int, purpose: str, number: int) -> int:
    """Word `number` of a stream, in integers of Python: what the module's text says."""
    digest = hashlib.blake2b(f"{seed} {purpose}".encode(), digest_size=16).digest()
    a, b = (int.from_bytes(half) for half in (digest[:8], digest[8:]))
    return mixed(mixed(a + position * GAMMA, 0) + number * GAMMA, mixed(b + position * GAMMA, 0))


def mixed(z: int, key: int) -> int:
    z %= 2**64
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9 ^ key) % 2**64
    z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
    return z ^ z >> 31


def test_the_generator_is_splitmix64() -> None:
    """Its published numbers for the seed 1234567."""
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    assert [mixed(1234567 + number * GAMMA, 0) for number in range(1, 5)] == published


@pytest.mark.parametrize("shape", [(), (1,), (3, 5, 7), (3, 16, 16)])
def test_normal_numbers_are_those_of_the_generator(shape: tuple[int, ...]) -> None:
    count, position = math.prod(shape), 5_120_000_003
    words = [word(7, position, "noise", number) for number in range(2 * max(2, -(-count // 4)))]
    halves = np.array([half for w in words for half in (w & 0xFFFFFFFF, w >> 32)], np.uint32)
    share, angle = halves.view(np.int32).astype(np.float64).reshape(2, -1)
    radius = np.sqrt(-2 * np.log(np.abs(share) * 2.0**-31))
    angle *= np.pi * 2.0**-31
    expected = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:count]
    numbers = normal(7, [position], "noise", shape)
    assert np.allclose(numbers.flatten().numpy(), expected, rtol=1e-6, atol=1e-6)


def test_uniform_numbers_are_those_of_the_generator() -> None:
    expected = [(word(7, position, "drop", 0) >> 40) / 2**24 for position in range(20)]
    assert uniform(7, MANY[:20], "drop").tolist() == expected


def test_the_streams_of_neighbours_share_no_word() -> None:
    words = [
        word(seed, position, purpose, number)
        for seed, position, purpose in itertools.product((0, 1), range(40), ("noise", "level"))
        for number in range(60)
    ]
    assert len({*words}) == len(words)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_number_of_threads_changes_no_bit(threads: int) -> None:
    before = torch.get_num_threads()
    together = normal(3, MANY[:9], "noise", (3, 61, 67))
    torch.set_num_threads(threads)
    alone = [normal(3, MANY[i : i + 1], "noise", (3, 61, 67)) for i in range(9)]
    torch.set_num_threads(before)
    assert torch.equal(together, torch.cat(alone))


def test_shapes_and_dtypes() -> None:
    assert normal(0, [4, 5], "noise", (3, 2, 2)).shape == (2, 3, 2, 2)
    assert normal(0, [], "noise", (3,)).shape == (0, 3)
    for numbers in (normal(0, [4], "noise", ()), uniform(0, [4], "drop"), times(0, [4])):
        assert numbers.shape == (1,) and numbers.dtype == torch.float32


@pytest.mark.parametrize(
    "numbers",
    [
        normal(0, [1], "noise", (8_000,))[0],  # down one image
        normal(0, MANY, "noise", ()),  # across images
        normal(0, MANY + 10**12, "step 7", (2,))[:, 1],
        torch.cat([normal(seed, [0], "noise", (1,))[0] for seed in range(4_000)]),  # across seeds
    ],
    ids=["down", "across", "far", "seeds"],
)
def test_normal_numbers_are_standard_normal(numbers: Tensor) -> None:
    numbers, n = numbers.double(), len(numbers)
    assert abs(numbers.mean()) < 4 / math.sqrt(n)
    assert abs(numbers.var() - 1) < 4 * math.sqrt(2 / n)
    assert abs((numbers**4).mean() - 3) < 4 * math.sqrt(96 / n)
    assert distance_to_cdf(torch.special.ndtr(numbers)) < 1.95 / math.sqrt(n)


def test_uniform_numbers_are_uniform() -> None:
    numbers = uniform(0, MANY, "drop")
    assert (numbers >= 0).all() and (numbers < 1).all()
    assert distance_to_cdf(numbers) < 1.95 / math.sqrt(len(MANY))


@pytest.mark.parametrize(
    ("seed", "start", "purpose"),
    [(1, 0, "noise"), (2**32, 0, "noise"), (0, 1, "noise"), (0, 2**32, "noise"), (0, 0, "step 1")],
)
def test_another_seed_position_or_purpose_gives_independent_numbers(
    seed: int, start: int, purpose: str
) -> None:
    one = normal(0, MANY[:200], "noise", (100,))
    other = normal(seed, MANY[:200] + start, purpose, (100,))
    assert abs(correlation(one, other)) < 4 / math.sqrt(one.numel())
    assert abs(correlation(one**2, other**2)) < 4 / math.sqrt(one.numel())
    if start == 0:
        assert abs(
            correlation(uniform(0, MANY, "noise"), uniform(seed, MANY, purpose))
        ) < 4 / math.sqrt(len(MANY))


def test_seed_and_purpose_do_not_run_into_each_other() -> None:
    """A seed of two words and a short purpose must not equal a small seed and a longer purpose."""
    assert not torch.equal(
        uniform(1 + (ord("a") << 32), [0], "b"),
        uniform(1, [0], "ab"),
    )


def test_uniform_numbers_are_independent_of_the_times() -> None:
    """The augmentation level and the time of an image are drawn independently (Imagen § 2.4)."""
    assert abs(correlation(uniform(0, MANY, "augmentation"), times(0, MANY))) < 4 / math.sqrt(
        len(MANY)
    )


@pytest.mark.parametrize("start", [0, 12_345, 5_120_000_000, 10**15])
@pytest.mark.parametrize("count", [2, 7, 64, 1000])
def test_times_of_consecutive_images_leave_no_large_gap(start: int, count: int) -> None:
    """Three-gap theorem: no gap of a golden walk exceeds 1.895 mean gaps (random times: log n)."""
    t = times(3, torch.arange(start, start + count)).double().sort().values
    gaps = torch.cat([t.diff(), 1 - t[-1:] + t[:1]])
    assert gaps.max() < 1.9 / count + 1e-6


def test_times_are_far_more_even_than_random_numbers() -> None:
    assert distance_to_cdf(times(0, MANY)) < 4 / len(MANY)
    assert distance_to_cdf(uniform(0, MANY, "t")) > 4 / len(MANY)


def test_times_walk_in_golden_steps_from_a_start_that_depends_on_the_seed() -> None:
    t = times(0, MANY[:1000]).double().numpy()
    expected = (t[0] + np.arange(1000) * (math.sqrt(5) - 1) / 2) % 1
    distance = np.abs(t - expected)
    assert np.minimum(distance, 1 - distance).max() < 1e-6
    starts = torch.cat([times(seed, [0]) for seed in range(2000)])
    assert distance_to_cdf(starts) < 1.95 / math.sqrt(2000)
    assert (t >= 0).all() and (t < 1).all()


def test_a_compiled_graph_draws_the_same_numbers_without_a_break() -> None:
    def draw(positions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        numbers = normal(7, positions, "noise", (3, 8, 8))
        return numbers, uniform(7, positions, "drop"), times(7, positions)

    compiled = torch.compile(draw, backend="aot_eager", fullgraph=True)
    for one, other in zip(draw(MANY[:5]), compiled(MANY[:5]), strict=True):
        assert torch.equal(one, other)
