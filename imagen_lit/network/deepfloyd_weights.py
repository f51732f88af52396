"""DeepFloyd IF's U-Net as diffusers writes it: `unet/config.json` gives the arguments of
`deepfloyd_unet.DeepFloydUNet`, and its weights, by their names there, the weights by ours.

Query, key and value are one layer here and three there. A setting that IF does not have is refused:
the weights would fit and draw something else.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from imagen_lit.basics.errors import InputError

PLAIN = "ResnetDownsampleBlock2D", "ResnetUpsampleBlock2D"
ATTENTION = "SimpleCrossAttnDownBlock2D", "SimpleCrossAttnUpBlock2D"
FIXED = {  # what all three stages have
    "_class_name": "UNet2DConditionModel",
    "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
    "addition_embed_type": "text",
    "cross_attention_norm": "group_norm",
    "resnet_time_scale_shift": "scale_shift",
    "time_embedding_type": "positional",
    "center_input_sample": False,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "norm_eps": 1e-5,
    "conv_in_kernel": 3,
    "conv_out_kernel": 3,
    "timestep_post_act": None,
    "class_embeddings_concat": False,
    "out_channels": 6,
}
ADVICE = "Choose a stage of DeepFloyd IF as diffusers saves it, such as IF-I-M-v1.0."


def settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of the network, but its schedule."""
    for key, value in FIXED.items():
        if config.get(key, value) != value:
            raise InputError(
                f"{key}={config[key]!r} is not {value!r}, as DeepFloyd IF has. {ADVICE}"
            )
    channels = list(_needed(config, "block_out_channels"))
    is_sr = config.get("class_embed_type") == "timestep"
    attention = [_has_attention(each) for each in _needed(config, "down_block_types")]
    if [_has_attention(each) for each in _needed(config, "up_block_types")] != attention[::-1]:
        raise InputError(f"up_block_types do not mirror down_block_types. {ADVICE}")
    if _needed(config, "in_channels") != (6 if is_sr else 3):
        raise InputError(
            f"in_channels={config['in_channels']} is neither a base's nor fits. {ADVICE}"
        )
    only_text, activation = config.get("only_cross_attention", False), config.get("act_fn", "silu")
    middle = config.get("mid_block_only_cross_attention")
    text_width, tokens = config.get("encoder_hid_dim"), _needed(config, "cross_attention_dim")
    once, skips = config.get("time_embedding_act_fn"), config.get("resnet_skip_time_act", False)
    if type(only_text) is not bool or once not in (None, activation) or skips != (once is not None):
        raise InputError(
            f"its attention or its activations are not those of DeepFloyd IF. {ADVICE}"
        )
    return {
        "text_width": text_width or tokens,
        "channels": channels,
        "blocks": _of_levels(_needed(config, "layers_per_block"), channels),
        "attention": attention,
        "self_attention": not only_text,
        "middle_self_attention": not (only_text if middle is None else middle),
        "head_width": config.get("attention_head_dim", 8),
        "text_channels": tokens if text_width else None,
        "pool_heads": config.get("addition_embed_type_num_heads", 64),
        "embedding": config.get("time_embedding_dim") or 4 * channels[0],
        "lowres_channels": 3 if is_sr else 0,
        "groups": config.get("norm_num_groups", 32),
        "activation": activation,
        "activates_once": once is not None,
        "residual_scale": config.get("resnet_out_scale_factor", 1.0),
        "middle_scale": config.get("mid_block_scale_factor", 1.0),
    }


def weights(theirs: Mapping[str, Tensor], arguments: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights of a network of these arguments, in float32; one that is missing, or too many,
    is refused."""
    names = dict(_names(arguments))
    used = {name for parts in names.values() for name in parts}
    if differing := sorted(used ^ theirs.keys()):
        raise InputError(
            f"{len(differing)} weights are not those of its config.json, among them "
            f"{', '.join(differing[:3])}. {ADVICE}"
        )
    return {
        ours: torch.cat([theirs[name].float() for name in parts])
        if len(parts) > 1
        else theirs[parts[0]].float()
        for ours, parts in names.items()
    }


def _names(arguments: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each weight here, and what it is made of there."""
    pairs = {"first": ["conv_in"], "last_norm": ["conv_norm_out"], "last": ["conv_out"]}
    pairs |= _dense("embed_timestep", "time_embedding")
    if arguments["lowres_channels"]:
        pairs |= _dense("embed_lowres_timestep", "class_embedding")
    if arguments["text_channels"] is not None:
        pairs["project_text"] = ["encoder_hid_proj"]
    there, pool = "add_embedding.pool", "embed_text"
    pairs |= {f"{pool}.norm": ["add_embedding.norm1"], f"{pool}.out": ["add_embedding.proj"]}
    pairs |= {f"{pool}.out_norm": ["add_embedding.norm2"], f"{pool}.query": [f"{there}.q_proj"]}
    pairs |= {f"{pool}.key_value": [f"{there}.k_proj", f"{there}.v_proj"]}
    yield f"{pool}.mean_offset", (f"{there}.positional_embedding",)
    channels, blocks = arguments["channels"], arguments["blocks"]
    top = len(channels) - 1
    width, skips = channels[0], [channels[0]]
    for level, out in enumerate(channels):
        at = f"down_blocks.{level}"
        if level:
            pairs |= _residual(
                f"down.level{level}_downsample", f"down_blocks.{level - 1}.downsamplers.0", False
            )
            skips.append(width)
        for i in range(blocks[level]):
            name = f"down.level{level}_block{i}"
            pairs |= _residual(name, f"{at}.resnets.{i}", width != out)
            pairs |= _attention(name, f"{at}.attentions.{i}", arguments, level)
            width = out
            skips.append(width)
    for i in range(2):
        pairs |= _residual(f"middle.{i}", f"mid_block.resnets.{i}", False)
    pairs |= _attention("middle.0", "mid_block.attentions.0", arguments, None)
    for level in reversed(range(top + 1)):
        at = f"up_blocks.{top - level}"
        for i in range(blocks[level] + 1):
            name, width_in = f"up.level{level}_block{i}", width + skips.pop()
            pairs |= _residual(name, f"{at}.resnets.{i}", width_in != channels[level])
            pairs |= _attention(name, f"{at}.attentions.{i}", arguments, level)
            width = channels[level]
        if level:
            pairs |= _residual(f"up.level{level}_upsample", f"{at}.upsamplers.0", False)
    for ours, parts in pairs.items():
        for kind in ("weight", "bias"):
            yield f"{ours}.{kind}", tuple(f"{part}.{kind}" for part in parts)


def _dense(ours: str, theirs: str) -> dict[str, list[str]]:
    return {f"{ours}.first": [f"{theirs}.linear_1"], f"{ours}.second": [f"{theirs}.linear_2"]}


def _residual(ours: str, theirs: str, has_shortcut: bool) -> dict[str, list[str]]:
    parts = {
        "first_norm": "norm1",
        "first": "conv1",
        "scale_shift": "time_emb_proj",
        "second_norm": "norm2",
        "second": "conv2",
    } | ({"shortcut": "conv_shortcut"} if has_shortcut else {})
    return {f"{ours}.block.{here}": [f"{theirs}.{there}"] for here, there in parts.items()}


def _attention(
    ours: str, theirs: str, arguments: Mapping[str, Any], level: int | None
) -> dict[str, list[str]]:
    """Of a level, or of the middle."""
    if level is not None and not arguments["attention"][level]:
        return {}
    sees_itself = arguments["middle_self_attention" if level is None else "self_attention"]
    parts = {
        "norm": ["group_norm"],
        "text_norm": ["norm_cross"],
        "query_key_value": ["to_q", "to_k", "to_v"] if sees_itself else ["to_q"],
        "text_key_value": ["add_k_proj", "add_v_proj"],
        "out": ["to_out.0"],
    }
    return {
        f"{ours}.attention.{here}": [f"{theirs}.{name}" for name in there]
        for here, there in parts.items()
    }


def _has_attention(block: str) -> bool:
    if block not in (*PLAIN, *ATTENTION):
        raise InputError(f"{block} is no block of DeepFloyd IF. {ADVICE}")
    return block in ATTENTION


def _of_levels(value: Any, channels: list[int]) -> list[int]:
    return [value] * len(channels) if isinstance(value, int) else list(value)


def _needed(config: Mapping[str, Any], key: str) -> Any:
    if key not in config:
        raise InputError(f"its config.json has no {key}. {ADVICE}")
    return config[key]
