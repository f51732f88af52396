"""EfficientNet-Lite0 against an independent implementation, by numbers that are kept here, and by
what it sees on a photograph."""

from pathlib import Path

import made_weights
import numpy as np
import pytest
import torch
from matplotlib import cbook
from omegaconf import OmegaConf
from PIL import Image

from imagen_lit.cli import assets
from imagen_lit.features.efficientnet_lite0 import EfficientNetLite0
from imagen_lit.features.efficientnet_network import EfficientNetLite, SameConv

OPTION = OmegaConf.load(Path(assets.conf()) / "features" / "efficientnet_lite0.yaml")
WEIGHTS = Path(__file__).resolve().parents[2] / OPTION.path
MILITARY_UNIFORM = 652  # of ImageNet's classes, from 0


@pytest.fixture(scope="module")
def extractor(tmp_path_factory: pytest.TempPathFactory) -> EfficientNetLite0:
    file = tmp_path_factory.mktemp("efficientnet") / "made.pth"
    sha256 = made_weights.save(made_weights.state(made_weights.efficientnet_shapes()), file)
    return EfficientNetLite0(str(file), sha256, device="cpu")


def test_the_public_weights_fill_it_and_nothing_is_left() -> None:
    own = {
        name: tuple(tensor.shape)
        for name, tensor in EfficientNetLite().state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    assert own == made_weights.efficientnet_shapes()


def test_it_has_as_many_parameters_as_are_published() -> None:
    assert sum(each.numel() for each in EfficientNetLite().parameters()) == 4_652_008


def test_odd_padding_goes_to_the_end_as_in_tensorflow() -> None:
    conv = SameConv(1, 1, 3, 2)
    torch.nn.init.ones_(conv.weight)
    row = torch.tensor([1.0, 2, 4, 8]).reshape(1, 1, 1, 4)
    assert conv(row).flatten().tolist() == [1 + 2 + 4, 4 + 8]
    row = torch.tensor([1.0, 2, 4, 8, 16]).reshape(1, 1, 1, 5)
    assert conv(row).flatten().tolist() == [1 + 2, 2 + 4 + 8, 8 + 16], "an even one to both"


# Of the module of efficientnet-lite-pytorch 0.1.0, on these weights and images: the length of the
# vector, every 160th number of it, and every 200th logit.
TRUTH = {
    (40, 56): (
        82.09391986890489,
        [4.236299514770508, 0.12448771297931671, 0.0, 3.088447093963623, 0.07133155316114426,
         0.4069165885448456, 0.9476916193962097, 0.0],
        [-1.5782350301742554, 3.4917187690734863, -2.795116424560547, -3.7368693351745605,
         -2.4417550563812256],
    ),
    (320, 300): (
        81.64490436127977,
        [4.570926666259766, 0.049199722707271576, 0.027139361947774887, 2.7232987880706787,
         0.328683465719223, 0.4220508933067322, 1.6375248432159424, 0.13498610258102417],
        [-1.5220749378204346, 3.9407780170440674, -2.2099266052246094, -4.004533290863037,
         -2.707728147506714],
    ),
}  # fmt: skip


@pytest.mark.parametrize("size", TRUTH)
def test_its_numbers_are_those_of_an_independent_implementation(
    extractor: EfficientNetLite0, size: tuple[int, int]
) -> None:
    length, numbers, classes = TRUTH[size]
    images = [made_weights.image(*size)]
    (vector,), (logits,) = extractor.features(images), extractor.logits(images)
    assert np.linalg.norm(vector) == pytest.approx(length, rel=1e-4)
    np.testing.assert_allclose(vector[::160], numbers, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(logits[::200], classes, rtol=1e-4, atol=1e-3)


@pytest.mark.skipif(
    not WEIGHTS.is_file(),
    reason="no weights: python -m imagen_lit.fetch weights=efficientnet_lite0",
)
def test_it_sees_the_uniform_on_a_photograph() -> None:
    extractor = EfficientNetLite0(str(WEIGHTS), OPTION.sha256, device="cpu")
    with cbook.get_sample_data("grace_hopper.jpg") as file:
        photograph = np.asarray(Image.open(file).convert("RGB"))
    (logits,) = extractor.logits([photograph])
    assert logits.argmax() == MILITARY_UNIFORM
