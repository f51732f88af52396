"""The shape of a command's forward passes: so many images, so many tokens, the last pass too.

Kernels round otherwise in another shape. In one shape they round a row the same whatever stands in
the others, if the rows divide evenly among the threads: with two threads, passes of three and five
images did not. So a pass has 1, 2 or a multiple of 4 rows, and its shape follows from all that the
command draws, not from the part that a process has or that is missing. The same command gives the
same bits on any number of processes, interrupted or not. Rows that nobody asked for repeat the last
one.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import pad

from imagen_lit.cascade.prompt_template import PROMPT, fill
from imagen_lit.stage.condition import Condition
from imagen_lit.text.text_encoder import TextEncoder


@dataclass(frozen=True)
class DrawingPass:
    """`width` images, whose texts are `tokens` long; where a stage words the prompts otherwise,
    `others` has their length by its template."""

    width: int
    tokens: int
    others: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        encoder: TextEncoder,
        prompts: Sequence[str],
        batch: int,
        templates: Collection[str] = (),
    ) -> "DrawingPass":
        """For images of these prompts, `batch` at most in a pass: as few passes as that allows,
        all equally wide, so that few rows are left over."""
        widest = max(width for width in (1, 2, batch // 4 * 4) if width <= batch)
        passes = -(-len(prompts) // widest) or 1
        rows = -(-len(prompts) // passes)
        width = rows if rows < 3 else -(-rows // 4) * 4

        def longest(template: str) -> int:
            texts = [fill(template, prompt) for prompt in dict.fromkeys(prompts)]
            return max(encoder.lengths(texts), default=1)

        others = {each: longest(each) for each in templates if each != PROMPT}
        return cls(width, longest(PROMPT), others)

    def condition(
        self, encoder: TextEncoder, prompts: Sequence[str], template: str = PROMPT
    ) -> Condition:
        """What the prompts say, worded by the template, each encoded alone. The empty text is no
        text at all, for which each stage has its null text; the encoder would make a token of it
        that no training image had."""
        tokens, prompts = self.others.get(template, self.tokens), [*prompts]
        prompts = [fill(template, prompt) for prompt in prompts]
        encoded = {
            prompt: self._encode(encoder, prompt, tokens) for prompt in dict.fromkeys(prompts)
        }
        rows = [encoded[prompt] for prompt in self.fill(prompts)]
        return Condition(*(torch.cat(part) for part in zip(*rows, strict=True)))

    def same_text(self, encoder: TextEncoder, text: str) -> Condition:
        """One text for every image, as long as it is."""
        row = self._encode(encoder, text, max(encoder.lengths([text]), default=1))
        return Condition(*(part.expand(self.width, *part.shape[1:]) for part in row))

    def fill(self, rows: Sequence) -> list:
        """As many rows as the pass is wide, by repeating the last."""
        return [*rows, *[rows[-1]] * (self.width - len(rows))]

    def _encode(self, encoder: TextEncoder, prompt: str, tokens: int) -> tuple[Tensor, Tensor]:
        text, mask = encoder.encode([prompt])
        missing = tokens - text.shape[1]
        text, mask = pad(text, (0, 0, 0, missing)), pad(mask, (0, missing))
        return (text, mask) if prompt else (torch.zeros_like(text), torch.zeros_like(mask))
