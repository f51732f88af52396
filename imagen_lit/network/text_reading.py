"""What of a network's pass depends on the text alone, so that the steps of a drawing share it."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from imagen_lit.network.attention import Reading


class TextReading(NamedTuple):
    """`pooled` [B, E] is added to the embedding; `tokens` [B, L, D] and `mask` [B, L] go to the
    blocks, each of which has read them already, in the order of the pass, or reads them itself
    where there is None. In training all do: a block has its weights together only while it runs
    (imagen_lit/stage/fsdp.py), and what it reads is computed again with the rest of it under
    gradient checkpointing."""

    pooled: Tensor
    tokens: Tensor
    mask: Tensor
    blocks: Sequence[Reading | None]
