"""DeepFloyd IF's network is diffusers' one, to the last digits, with the weights that it saves."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from imagen_lit.basics.errors import InputError
from imagen_lit.diffusion.schedule import DiscreteCosine
from imagen_lit.network import deepfloyd_weights
from imagen_lit.network.deepfloyd_unet import DeepFloydUNet

deepfloyd_stages = pytest.importorskip("deepfloyd_stages")
pytest.importorskip("diffusers")
SCHEDULE = DiscreteCosine()
STEPS = torch.tensor([0, 250, 999])


def ours(folder: Path) -> DeepFloydUNet:
    config = json.loads((folder / "unet/config.json").read_text())
    settings = deepfloyd_weights.settings(config)
    network = DeepFloydUNet(SCHEDULE, **settings).eval()
    theirs = load_file(folder / "unet/diffusion_pytorch_model.safetensors")
    network.load_state_dict(deepfloyd_weights.weights(theirs, settings))
    return network


@torch.no_grad()
@pytest.mark.parametrize("name", deepfloyd_stages.STAGES)
def test_the_raw_output_is_that_of_diffusers(name: str, tmp_path: Path) -> None:
    unet, _ = deepfloyd_stages.save(tmp_path, name)
    z, lowres = torch.randn(2, 3, 3, 16, 16)
    text, mask = torch.randn(3, 7, deepfloyd_stages.TEXT), torch.ones(3, 7, dtype=torch.bool)
    logsnr = SCHEDULE((STEPS + 1) / 1000)
    level = torch.tensor([250, 0, 600])
    if name == "one":
        expected = unet(z, STEPS, text).sample
        out = ours(tmp_path)(z, logsnr, text, mask)
    else:
        small = torch.cat([z, lowres], 1)
        expected = unet(small, STEPS, text, class_labels=level).sample
        noise = SCHEDULE((level + 1) / 1000)
        out = ours(tmp_path)(z, logsnr, text, mask, lowres, noise)
    assert expected.std() > 0.1
    torch.testing.assert_close(out, expected, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_a_reading_changes_nothing(tmp_path: Path) -> None:
    deepfloyd_stages.save(tmp_path, "one")
    network, z = ours(tmp_path), torch.randn(1, 3, 16, 16)
    text, mask = torch.randn(1, 7, deepfloyd_stages.TEXT), torch.ones(1, 7, dtype=torch.bool)
    parts = z, torch.zeros(1), text, mask
    reading = network.read(text, mask)
    torch.testing.assert_close(network(*parts, reading=reading), network(*parts))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mid_block_type": "UNetMidBlock2D"}, "mid_block_type='UNetMidBlock2D' is not"),
        ({"down_block_types": ["DownBlock2D"] * 2}, "DownBlock2D is no block of DeepFloyd IF"),
        ({"in_channels": 4}, "in_channels=4"),
        ({"time_embedding_act_fn": "silu"}, "activations are not those"),
    ],
)
def test_another_network_is_refused(changes: dict, words: str) -> None:
    config = deepfloyd_stages.COMMON | deepfloyd_stages.STAGES["one"] | changes
    with pytest.raises(InputError, match=words):
        deepfloyd_weights.settings(config)


def test_weights_that_do_not_fit_the_settings_are_refused(tmp_path: Path) -> None:
    unet, _ = deepfloyd_stages.save(tmp_path, "one")
    settings = deepfloyd_weights.settings(dict(unet.config))
    theirs = dict(unet.state_dict())
    theirs.pop("conv_in.bias")
    with pytest.raises(InputError, match=r"1 weights .*conv_in\.bias\. Choose a stage of DeepF"):
        deepfloyd_weights.weights(theirs, settings)
