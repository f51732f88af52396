"""The layers that both U-Nets are built from. They know neither time, nor noise levels' meaning,
nor stages.

Shapes: B pictures, C channels, H W edges, N = H*W places, L text tokens, D text width, E embedding
width. A text comes as (text [B, L, D], mask [B, L]), True where a token is real. Law: what stands
in a masked place cannot change any output.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def group_norm(channels: int, least: int = 16) -> nn.GroupNorm:
    """32 groups as in ADM, or fewer, so that none has less than `least` channels: small groups are
    slow on a CPU."""
    return nn.GroupNorm(math.gcd(32, max(1, channels // least)), channels)


def zeroed(layer: nn.Module) -> nn.Module:
    """A layer that starts silent, so that every residual block starts as the identity."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


class LogSNREmbedding(nn.Module):
    """log-SNR [B] -> [B, E]: sines of geometric frequencies, then two dense layers (Imagen §
    2.5)."""

    frequencies: Tensor

    def __init__(self, width: int, waves: int = 64) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.logspace(-2, 1, waves // 2), persistent=False)
        self.dense = nn.Sequential(nn.Linear(waves, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, logsnr: Tensor) -> Tensor:
        angles = logsnr.float().unsqueeze(-1) * self.frequencies
        return self.dense(torch.cat([angles.sin(), angles.cos()], dim=-1))


class TextPool(nn.Module):
    """Attention pooling: text [B, L, D] -> [B, E], added to the time embedding (Imagen § 2.5).

    Each head asks its own learned question of the LayerNormed tokens. A learned token that says
    "nothing" is always there to be looked at, so an empty text has an answer too.
    """

    def __init__(self, text_width: int, width: int, heads: int = 8, head_width: int = 32) -> None:
        super().__init__()
        self.heads, self.head_width = heads, head_width
        inner = heads * head_width
        self.norm = nn.LayerNorm(text_width)
        self.nothing = nn.Parameter(torch.zeros(1, 1, text_width))
        self.question = nn.Parameter(torch.randn(heads, 1, head_width))
        self.key_value = nn.Linear(text_width, 2 * inner)
        self.out = nn.Sequential(
            nn.LayerNorm(inner), nn.Linear(inner, width), nn.SiLU(), nn.Linear(width, width)
        )

    def forward(self, text: Tensor, mask: Tensor) -> Tensor:
        tokens, seen = _with_nothing(self.norm(text), self.nothing, mask)
        key, value = _heads(self.key_value(tokens), self.heads, 2)
        question = self.question.to(key.dtype).expand(len(text), -1, -1, -1)
        answer = attend(question, key, value, seen)
        return self.out(answer.flatten(1))


class SelfTextAttention(nn.Module):
    """Self-attention whose keys and values also hold the text: one joint softmax (Imagen App.
    D.3.1)."""

    def __init__(
        self,
        channels: int,
        text_width: int,
        head_width: int,
        heads: int | None = None,
        least: int = 16,
    ) -> None:
        super().__init__()
        self.heads, inner = _hidden(channels, head_width, heads)
        self.norm = group_norm(channels, least)
        self.text_norm = nn.LayerNorm(text_width)
        self.query_key_value = nn.Linear(channels, 3 * inner)
        self.text_key_value = nn.Linear(text_width, 2 * inner)
        self.out = zeroed(nn.Linear(inner, channels))

    def forward(self, x: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        places = _places(self.norm(x))
        query, key, value = _heads(self.query_key_value(places), self.heads, 3)
        text_key, text_value = _heads(self.text_key_value(self.text_norm(text)), self.heads, 2)
        seen = torch.cat([mask.new_ones(len(mask), places.shape[1]), mask], dim=1)[:, None, None]
        answer = attend(
            query,
            torch.cat([key, text_key], dim=2),
            torch.cat([value, text_value], dim=2),
            seen,
        )
        return x + _picture(self.out(answer.transpose(1, 2).flatten(2)), x)


class TextAttention(nn.Module):
    """Cross-attention from places to text only, for pictures too large for self-attention."""

    def __init__(
        self,
        channels: int,
        text_width: int,
        head_width: int,
        heads: int | None = None,
        least: int = 16,
    ) -> None:
        super().__init__()
        self.heads, inner = _hidden(channels, head_width, heads)
        self.norm = group_norm(channels, least)
        self.text_norm = nn.LayerNorm(text_width)
        self.nothing = nn.Parameter(torch.zeros(1, 1, text_width))
        self.query = nn.Linear(channels, inner)
        self.text_key_value = nn.Linear(text_width, 2 * inner)
        self.out = zeroed(nn.Linear(inner, channels))

    def forward(self, x: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        tokens, seen = _with_nothing(self.text_norm(text), self.nothing, mask)
        (query,) = _heads(self.query(_places(self.norm(x))), self.heads, 1)
        key, value = _heads(self.text_key_value(tokens), self.heads, 2)
        answer = attend(query, key, value, seen)
        return x + _picture(self.out(answer.transpose(1, 2).flatten(2)), x)


class ResidualBlock(nn.Module):
    """Norm, swish, convolution, twice; the embedding scales and shifts the second norm (ADM,
    Imagen F.1).

    `resample` doubles or halves the picture inside the block, on both of its ways ("biggan"
    blocks).
    """

    def __init__(
        self,
        channels_in: int,
        channels: int,
        embedding: int,
        resample: nn.Module | None = None,
        least: int = 16,
    ) -> None:
        super().__init__()
        self.resample = resample if resample is not None else nn.Identity()
        self.first_norm = group_norm(channels_in, least)
        self.first = nn.Conv2d(channels_in, channels, 3, padding=1)
        self.scale_shift = nn.Linear(embedding, 2 * channels)
        self.second_norm = group_norm(channels, least)
        self.second = zeroed(nn.Conv2d(channels, channels, 3, padding=1))
        same = channels_in == channels
        self.shortcut = nn.Identity() if same else nn.Conv2d(channels_in, channels, 1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        h = self.first(self.resample(F.silu(self.first_norm(x))))
        scale, shift = self.scale_shift(F.silu(embedding))[:, :, None, None].chunk(2, dim=1)
        h = self.second(F.silu(self.second_norm(h) * (1 + scale) + shift))
        return self.shortcut(self.resample(x)) + h


class Half(nn.Module):
    """Half the edge, by averaging."""

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 2)


class Double(nn.Module):
    """Twice the edge, by repeating."""

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2.0, mode="nearest")


def attend(query: Tensor, key: Tensor, value: Tensor, seen: Tensor) -> Tensor:
    """softmax(query key / sqrt(d)) value over the places that may be seen.

    On the CPU plain products are several times faster than the fused kernel, backwards and in bf16.
    """
    if query.device.type != "cpu":
        return F.scaled_dot_product_attention(query, key, value, attn_mask=seen)
    affinity = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    return affinity.masked_fill(~seen, float("-inf")).softmax(-1).to(value.dtype) @ value


def heard(text: Tensor, mask: Tensor) -> Tensor:
    """The text with zeros in its masked places: even a NaN there, times a weight of zero, would be
    felt."""
    return text.masked_fill(~mask[..., None], 0)


def require_halves(z: Tensor, times: int) -> None:
    """Refuse pictures whose edge does not come out even on the way down."""
    step = 2**times
    if z.shape[-2] % step or z.shape[-1] % step:
        height, width = z.shape[-2:]
        near = max(step, width // step * step)
        raise ValueError(
            f"pictures of {height} x {width} pixels cannot be halved {times} times: this network "
            f"wants edges that {step} divides; type data.size={near} or {near + step}, or the "
            "same for data.crop"
        )


def enlarge(lowres: Tensor | None, like: Tensor) -> Tensor:
    """The low-resolution picture at the size of the high one (bilinear; Cascaded Diffusion § 4)."""
    if lowres is None:
        raise ValueError(
            "this network enlarges a smaller picture, and the stage gives it none: type "
            "stage=demo_sr, or network=demo_unet for a stage that draws from text alone"
        )
    return F.interpolate(lowres, size=like.shape[-2:], mode="bilinear", align_corners=False)


def narrowed(text_width: int, channels: int | None) -> nn.Module:
    """The text of a wide encoder made narrow, normed first: a few channels of T5 are far louder
    than the rest. None leaves it as it is."""
    if channels is None:
        return nn.Identity()
    return nn.Sequential(nn.LayerNorm(text_width), nn.Linear(text_width, channels))


def worked(block: nn.Module, *given: Tensor, again: bool) -> Tensor:
    """block(*given); with `again` its insides are not kept, but worked out once more on the way
    back: the same gradients for a third more work and a fraction of the memory."""
    if not (again and torch.is_grad_enabled()):
        return block(*given)
    return checkpoint(block, *given, use_reentrant=False, preserve_rng_state=False)


def _hidden(channels: int, head_width: int, heads: int | None) -> tuple[int, int]:
    """The number of heads and their width in all: as many heads as fill the channels, unless
    told."""
    heads = heads if heads is not None else max(1, channels // head_width)
    return heads, heads * (head_width if channels >= head_width else channels)


def _with_nothing(tokens: Tensor, nothing: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Tokens with the learned "nothing" before them, and which of them may be looked at."""
    tokens = torch.cat([nothing.to(tokens.dtype).expand(len(tokens), -1, -1), tokens], dim=1)
    return tokens, torch.cat([mask.new_ones(len(mask), 1), mask], dim=1)[:, None, None]


def _heads(x: Tensor, heads: int, parts: int) -> tuple[Tensor, ...]:
    """[B, N, parts * heads * d] -> `parts` tensors [B, heads, N, d]."""
    return x.unflatten(-1, (parts, heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)


def _places(x: Tensor) -> Tensor:
    """[B, C, H, W] -> [B, N, C]."""
    return x.flatten(2).transpose(1, 2)


def _picture(places: Tensor, like: Tensor) -> Tensor:
    """[B, N, C] -> [B, C, H, W]."""
    return places.transpose(1, 2).unflatten(2, like.shape[2:])
