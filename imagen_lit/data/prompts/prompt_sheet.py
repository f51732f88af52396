"""What was drawn from prompts, on one sheet: each image, the true one below it where there is one,
and its prompt."""

import numpy as np
from PIL import Image

from imagen_lit.basics.captioned_grid import Captioned, captioned_grid
from imagen_lit.data.prompts.source import Prompts, PromptsWithImages

EDGE, COLUMNS = 128, 8  # pixels of an image, images in a row


def prompt_sheet(prompts: Prompts, images: np.ndarray) -> Image.Image:
    """`images`, uint8 [N, H, W, 3]: image i was drawn from prompt i, for the first N prompts. True
    images are shown if these are all."""
    bands = [images]
    if isinstance(prompts, PromptsWithImages) and len(images) == len(prompts.prompts):
        bands.append(prompts.true_images(images.shape[1]))
    items = [
        Captioned([Image.fromarray(image) for image in stack], prompt, f"seed {seed}")
        for *stack, prompt, seed in zip(*bands, prompts.prompts, prompts.seeds, strict=False)
    ]
    return captioned_grid(items, COLUMNS, EDGE)
