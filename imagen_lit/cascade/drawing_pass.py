"""The shape of a command's forward passes: so many images, so many tokens, the last pass too.

Kernels round otherwise in another shape. In one shape they round a row the same whatever stands in
the others, if the rows divide evenly among the threads: with two threads, passes of three and five
images did not. So a pass has 1, 2 or a multiple of 4 rows, and its shape follows from all that the
command draws, not from the part that a process has or that is missing. The same command gives the
same bits on any number of processes, interrupted or not. Rows that nobody asked for repeat the last
one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from imagen_lit.stage.condition import Condition
from imagen_lit.text.text_encoder import TextEncoder


@dataclass(frozen=True)
class DrawingPass:
    """`width` images, whose texts are `tokens` long."""

    width: int
    tokens: int

    @classmethod
    def of(cls, encoder: TextEncoder, prompts: Sequence[str], batch: int) -> "DrawingPass":
        """For images of these prompts, `batch` at most in a pass: as few passes as that allows,
        all equally wide, so that few rows are left over."""
        widest = max(width for width in (1, 2, batch // 4 * 4) if width <= batch)
        passes = -(-len(prompts) // widest) or 1
        rows = -(-len(prompts) // passes)
        width = rows if rows < 3 else -(-rows // 4) * 4
        return cls(width, max(encoder.lengths(list(dict.fromkeys(prompts))), default=1))

    def condition(self, encoder: TextEncoder, prompts: Sequence[str]) -> Condition:
        """What the prompts say, each encoded alone. The empty prompt is the null text, which
        training showed instead of dropped captions; the encoder would make a token of it that no
        training image had."""
        encoded = {prompt: self._encode(encoder, prompt) for prompt in dict.fromkeys(prompts)}
        rows = [encoded[prompt] for prompt in self.fill(prompts)]
        return Condition(*(torch.cat(part) for part in zip(*rows, strict=True)))

    def fill(self, rows: Sequence) -> list:
        """As many rows as the pass is wide, by repeating the last."""
        return [*rows, *[rows[-1]] * (self.width - len(rows))]

    def _encode(self, encoder: TextEncoder, prompt: str) -> tuple[Tensor, Tensor]:
        text, mask = encoder.encode([prompt])
        missing = self.tokens - text.shape[1]
        text, mask = pad(text, (0, 0, 0, missing)), pad(mask, (0, missing))
        return (text, mask) if prompt else (torch.zeros_like(text), torch.zeros_like(mask))
