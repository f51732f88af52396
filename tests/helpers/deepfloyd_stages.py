"""The three stages of DeepFloyd IF with random weights, a few channels wide, as diffusers saves
them."""

from pathlib import Path
from typing import Any

import torch

TEXT = 32  # width of a token
BLOCKS = ["ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"]
COMMON: dict[str, Any] = {
    "sample_size": 16,
    "block_out_channels": [32, 64],
    "down_block_types": BLOCKS,
    "up_block_types": ["SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"],
    "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
    "out_channels": 6,
    "cross_attention_dim": 64,
    "encoder_hid_dim": TEXT,
    "attention_head_dim": 8,
    "addition_embed_type": "text",
    "addition_embed_type_num_heads": 2,
    "cross_attention_norm": "group_norm",
    "resnet_time_scale_shift": "scale_shift",
    "act_fn": "gelu",
}
ENLARGING = {
    "in_channels": 6,
    "class_embed_type": "timestep",
    "time_embedding_act_fn": "gelu",
    "time_embedding_dim": 96,
    "resnet_skip_time_act": True,
    "resnet_out_scale_factor": 1 / 0.7071,
    "mid_block_scale_factor": 1 / 0.7071,
}
STAGES: dict[str, dict[str, Any]] = {
    "one": {"in_channels": 3, "layers_per_block": 2},
    "two": {**ENLARGING, "layers_per_block": [1, 2], "only_cross_attention": False},
    "three": {
        **ENLARGING,
        "layers_per_block": [1, 2],
        "only_cross_attention": True,
        "mid_block_only_cross_attention": False,
    },
}


def save(folder: Path, name: str, **changes: Any) -> Any:
    """Write the stage, and give diffusers' network and scheduler of it."""
    from diffusers import DDPMScheduler, UNet2DConditionModel

    torch.manual_seed(0)
    unet = UNet2DConditionModel(**COMMON, **STAGES[name], **changes).eval()
    for parameter in unet.parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, mean=0.3, std=0.3)
    unet.save_pretrained(folder / "unet")
    scheduler = DDPMScheduler(
        beta_schedule="squaredcos_cap_v2",
        variance_type="learned_range",
        prediction_type="epsilon",
        thresholding=True,
        dynamic_thresholding_ratio=0.95,
        sample_max_value=1.5 if name == "one" else 1.0,
        timestep_spacing="trailing",
    )
    scheduler.save_pretrained(folder / "scheduler")
    return unet, scheduler
