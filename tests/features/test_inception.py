"""Inception-v3 of the FID against an independent implementation, by numbers that are kept here."""

import made_weights
import numpy as np
import pytest
import torch

from imagen_lit.basics.errors import InputError
from imagen_lit.features import inception
from imagen_lit.features.inception import Inception
from imagen_lit.features.inception_network import InceptionV3, average, maximum


@pytest.fixture(scope="module")
def extractor(inception_weights: tuple[str, str]) -> Inception:
    return Inception(*inception_weights, device="cpu")


def test_the_public_weights_fill_it_and_nothing_is_left() -> None:
    own = {
        name: list(tensor.shape)
        for name, tensor in InceptionV3().state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    public = {
        name: list(shape)
        for name, shape in made_weights.inception_shapes().items()
        if not name.startswith("fc.")
    }
    assert own == public


def test_weights_that_are_not_there_are_asked_for_by_the_key_of_the_command() -> None:
    with pytest.raises(InputError, match=r"Inception-v3 are not there.* and set features\.path="):
        Inception("nowhere.pth").network  # noqa: B018


def test_it_has_as_many_parameters_as_are_published() -> None:
    """Keras counts 21,802,784 without the classes, of which 34,432 are means and variances of
    17,216 channels; it leaves out the scale of each channel, which here is counted."""
    count = sum(each.numel() for each in InceptionV3().parameters())
    assert count == 21_802_784 - 34_432 + 17_216


def test_averages_leave_out_the_padding_and_the_last_block_takes_a_maximum() -> None:
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert average(x)[0, 0, 0, 0] == (0 + 1 + 4 + 5) / 4
    assert average(x)[0, 0, 1, 1] == 5
    assert maximum(x)[0, 0, 0, 0] == 5
    pools = {name: getattr(m, "pool", None) for name, m in InceptionV3().named_children()}
    assert [name for name, pool in pools.items() if pool is maximum] == ["Mixed_7c"]
    averages = [name for name, pool in pools.items() if pool is average]
    assert averages == [f"Mixed_{n}" for n in ("5b", "5c", "5d", "6b", "6c", "6d", "6e", "7b")]


# Of the module of torch-fidelity 0.4.0, with its own resizing, on these weights and images: the
# length of the vector, and every 256th number of it.
TRUTH = {
    (40, 56): (
        366.4038712562042,
        [0.22323213517665863, 4.8750457763671875, 0.10191191732883453, 16.296409606933594,
         0.06916670501232147, 5.508466720581055, 0.0, 6.6319580078125],
    ),
    (320, 300): (
        566.3056825548467,
        [0.298159122467041, 6.203344821929932, 0.4739357829093933, 25.42670249938965,
         0.16678282618522644, 8.168610572814941, 0.0, 9.696548461914062],
    ),
}  # fmt: skip


@pytest.mark.parametrize("size", TRUTH)
def test_its_features_are_those_of_torch_fidelity(
    extractor: Inception, size: tuple[int, int]
) -> None:
    length, numbers = TRUTH[size]
    (vector,) = extractor.features([made_weights.image(*size)])
    assert np.linalg.norm(vector) == pytest.approx(length, rel=1e-4)
    np.testing.assert_allclose(vector[::256], numbers, rtol=1e-4, atol=1e-4 * vector.std())


def test_the_known_weights_are_those_of_the_public_name() -> None:
    """torch's hub puts the first digits of the sha256 into a file's name."""
    assert inception.KNOWN[:8] in inception.SOURCE
