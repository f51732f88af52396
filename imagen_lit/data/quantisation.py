"""Token vectors in one byte a number: x[i, j] = token[i] * channel[j] * q[i, j].

One scale for each channel (over a whole shard) and one for each token. In T5's vectors a few
channels are hundreds of times larger than the rest; with only a scale per token, they would take
the bits of all others. What matters is therefore the error of the *ordinary* channels and each
token's direction, and both are measured for every file that is written.

A shard of T5-XXL is gigabytes, so all of this works row by row.
"""

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

OUTLIER = 10.0  # a channel this many times the median channel is an outlier


def channel_rms(rows: Sequence[Tensor]) -> Tensor:
    """Root mean square of each channel over all tokens of all rows [tokens, D] -> [D]."""
    power = sum(row.float().square().sum(0) for row in rows) / max(1, sum(map(len, rows)))
    return torch.as_tensor(power).sqrt().clamp(min=1e-12)


def quantise(x: Tensor, channel: Tensor) -> tuple[Tensor, Tensor]:
    """[tokens, D] -> q [tokens, D] int8, token [tokens]."""
    even = x.float() / channel
    token = even.abs().amax(1).clamp(min=1e-12) / 127
    return (even / token[:, None]).round().to(torch.int8), token


def dequantise(q: Tensor, token: Tensor, channel: Tensor) -> Tensor:
    """The vectors, approximately restored, as float32."""
    return q.float() * token[:, None] * channel


def restore(q: Tensor, token: Tensor, channel: Tensor) -> Tensor:
    """The vectors as a reader gets them, in bfloat16."""
    return dequantise(q, token, channel).bfloat16()


def errors(rows: Sequence[Tensor], restored: Iterable[Tensor]) -> dict[str, float]:
    """Errors of `restored` against `rows`: relative over all channels and over the ordinary ones,
    and the lowest cosine of any token."""
    width = rows[0].shape[1]
    signal, noise, cosine = torch.zeros(width), torch.zeros(width), torch.tensor(1.0)
    for x, y in zip(rows, restored, strict=True):
        x, y = x.float(), y.float()
        signal += x.square().sum(0)
        noise += (x - y).square().sum(0)
        cosine = torch.cat([cosine.view(1), F.cosine_similarity(x, y, dim=1)]).min()
    ordinary = signal <= OUTLIER**2 * signal.median()
    return {
        "relative": (noise.sum() / signal.sum()).sqrt().item(),
        "ordinary": (noise[ordinary].sum() / signal[ordinary].sum()).sqrt().item(),
        "cosine": cosine.item(),
    }
