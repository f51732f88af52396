"""What decides the last bits of an image and nothing else: the shape of the forward passes, the
device and its threads (docs/drawing.md, "The same bits"). An image's file has it for each stage, so
that the image can be drawn again to the bit, and no image is called another for it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from imagen_lit.cascade.drawing_pass import DrawingPass
from imagen_lit.cascade.prompt_template import PROMPT
from imagen_lit.text.text_encoder import TextEncoder

ROUNDING = "rounding"  # the fact


def facts(
    shape: DrawingPass, template: str, device: torch.device, compiler: str | None
) -> dict[str, Any]:
    """Of a stage that words the prompts by the template."""
    known: dict[str, Any] = {
        "images": shape.width,
        "tokens": shape.others.get(template, shape.tokens),
        "device": device.type,
    }
    if device.type == "cpu":
        known["threads"] = torch.get_num_threads()
    elif torch.backends.cudnn.allow_tf32:
        known["tf32"] = True
    return known | ({} if compiler is None else {"compile": compiler})


def shape(known: Mapping[str, Any], template: str) -> DrawingPass:
    """The pass that these facts tell of."""
    tokens = known["tokens"]
    return DrawingPass(known["images"], tokens, {} if template == PROMPT else {template: tokens})


def under(known: Mapping[str, Any], draw: Callable[[], Any]) -> Any:
    """What `draw` gives with as many threads, where these facts tell of any."""
    threads = torch.get_num_threads()
    torch.set_num_threads(known.get("threads", threads))
    try:
        return draw()
    finally:
        torch.set_num_threads(threads)


def alone(encoder: TextEncoder, prompt: str, template: str) -> DrawingPass:
    """A pass of one image, where nothing is known of the one that drew it."""
    return DrawingPass.of(encoder, [prompt], 1, {template})
