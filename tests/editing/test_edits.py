"""What an edit gives stays, at every size, to the last grey level; and an edit that gives nothing,
or everything, is the plain drawing, or the picture."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny_run import Encoder, leave_runs
from torch import Tensor

from imagen_lit.basics import pixels, reduction
from imagen_lit.cascade import canvas, edits
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.cascade.drawing_pass import DrawingPass
from imagen_lit.cli import config
from imagen_lit.diffusion.jumps import Jumps
from imagen_lit.stage.condition import Condition
from imagen_lit.stage.edit import Edit
from imagen_lit.stage.seed import Between, normal

FAST = [f"cascade.{name}.recipe.steps=3" for name in ("base", "sr")]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def cascade(tmp_path_factory: pytest.TempPathFactory) -> Cascade:
    runs = leave_runs(tmp_path_factory.mktemp("runs"))
    cfg = config.compose("sample", [f"runs={runs}", "~cascade.sr2", *FAST])
    built: Cascade = config.build(cfg.cascade)
    return built


@pytest.fixture(scope="module")
def condition() -> Condition:
    encoder = Encoder()
    return DrawingPass.of(encoder, ["a red circle"], 1).condition(encoder, ["a red circle"])


def noisy_picture(height: int = 64, width: int = 64) -> Tensor:
    values = np.random.default_rng(0).integers(0, 256, (1, 3, height, width), np.uint8)
    return pixels.to_signed(torch.from_numpy(values))


def hole(height: int = 64, width: int = 64) -> Tensor:
    there = torch.zeros(1, 1, height, width, dtype=torch.bool)
    there[..., 9:30, 17:41] = True
    return there


def drawn(cascade: Cascade, condition: Condition, own: dict[str, Edit]) -> dict[str, np.ndarray]:
    return {n: pixels.to_array(x)[0] for n, x in cascade.draw(condition, [3], edits=own)}


@pytest.mark.parametrize("width", [64, 96])
def test_outside_the_hole_every_stage_has_the_given_grey_levels(
    cascade: Cascade, condition: Condition, width: int
) -> None:
    picture, there = noisy_picture(width=width), hole(width=width)
    own = edits.edits_of(cascade, picture, there, Edit(jumps=Jumps(2, 2)))
    images, given = drawn(cascade, condition, own), edits.pictures_of(cascade, picture)
    holes = edits.holes_of(cascade, there)
    assert [*images] == ["base", "sr"]
    for name, image in images.items():
        outside = ~holes[name][0, 0].numpy()
        small = pixels.to_array(given[name])[0]
        assert image.shape == small.shape
        assert 0 < outside.sum() < outside.size
        assert (image == small)[outside].all()
        assert (image != small)[~outside].any()
    assert (pixels.to_array(picture)[0] == pixels.to_array(given["sr"])[0]).all()


def test_a_picture_that_is_given_whole_comes_back(cascade: Cascade, condition: Condition) -> None:
    picture = noisy_picture()
    own = edits.edits_of(cascade, picture, torch.zeros_like(hole()))
    images = drawn(cascade, condition, own)
    assert (images["sr"] == pixels.to_array(picture)[0]).all()


def test_full_strength_without_a_hole_is_the_plain_drawing(
    cascade: Cascade, condition: Condition
) -> None:
    plain = drawn(cascade, condition, {})
    for how in (Edit(), Edit(strength=1.0)):
        images = drawn(cascade, condition, edits.edits_of(cascade, noisy_picture(), None, how))
        assert all((images[name] == plain[name]).all() for name in plain)


def test_less_strength_leaves_more_of_the_picture(cascade: Cascade, condition: Condition) -> None:
    picture = noisy_picture()
    apart = []
    for strength in (0.05, 0.5, 1.0):
        own = edits.edits_of(cascade, picture, None, Edit(strength=strength))
        first = next(x for _, x in cascade.draw(condition, [3], edits=own))
        apart.append((first - edits.pictures_of(cascade, picture)["base"]).square().mean())
    assert apart[0] < apart[2] and apart[1] < apart[2]


def test_given_grey_values_come_back_in_colour(cascade: Cascade, condition: Condition) -> None:
    flat = torch.full((1, 3, 64, 64), 0.1)
    flat[..., 20:40, 20:40] = -0.2
    own = {  # from a small start, whose colours no clipping meets
        name: Edit(flat_small, 0.1).of_grey(flat_small)
        for name, flat_small in edits.pictures_of(cascade, flat).items()
    }
    for (name, image), edit in zip(
        cascade.draw(condition, [3], edits=own), own.values(), strict=True
    ):
        x = edit.constraint(image)
        is_clipped = image.abs().amax(1) == 1
        assert (image - x)[~is_clipped[:, None].expand_as(image)].abs().max() < 1e-5, name


@pytest.mark.parametrize("kernel", reduction.KERNELS)
def test_no_given_small_pixel_is_made_of_what_is_in_the_hole(kernel: str) -> None:
    there = hole()
    picture, other = noisy_picture(), noisy_picture()
    other = torch.where(there, -other, other)
    small = [reduction.reduce(each, (16, 16), kernel) for each in (picture, other)]
    reach = reduction.REACH[kernel]
    covered = F.max_pool2d(there.float(), 4)
    grown = F.max_pool2d(covered, 2 * reach + 1, stride=1, padding=reach) > 0
    differs = ((small[0] - small[1]).abs() > 1e-6).any(1, keepdim=True)
    assert differs.any() and not (differs & ~grown).any()
    assert (grown.sum() - differs.sum()) <= (0 if kernel == "box" else 4 * 12)


def test_noise_between_seeds_keeps_its_law_and_has_the_seeds_at_its_ends() -> None:
    shape = (3, 64, 64)
    first, second = (normal([each], "start", shape, CPU) for each in (4, 7))
    assert torch.equal(normal([Between(4, 7, 0.0)], "start", shape, CPU), first)
    assert torch.equal(normal([Between(4, 7, 1.0)], "start", shape, CPU), second)
    assert torch.equal(normal([Between(4, 4, 0.3)], "start", shape, CPU), first)
    for share in (0.2, 0.5, 0.9):
        between = normal([4, Between(4, 7, share)], "start", shape, CPU)
        assert torch.equal(between[:1], first)
        x = between[1]
        assert abs(x.mean()) < 5 / 110 and abs(x.var() - 1) < 5 * (2 / 12288) ** 0.5
        expected = np.cos(share * np.pi / 2)
        assert abs((x * first[0]).mean() - expected) < 0.05


def test_canvases_are_those_that_every_network_can_halve(cascade: Cascade) -> None:
    assert canvas.step(cascade) == 16  # the base halves twice: 4 of its pixels, times 4
    assert canvas.edge(cascade) == 64
    canvas.refuse_misfit(cascade, 64, 96)
    with pytest.raises(ValueError, match=r"100 x 64 .*multiples of 16\. Make it 96 x 64, for"):
        canvas.refuse_misfit(cascade, 64, 100)
