"""A set of images as prompts: its captions are drawn, and its images are the true ones."""

import numpy as np
import torch

from imagen_lit.basics.errors import InputError
from imagen_lit.data import transform
from imagen_lit.image_set.image_set import ImageSet


class CaptionedImages:
    """Prompt i is the caption of image i, drawn from seed i (data/prompts/source.py)."""

    def __init__(self, images: ImageSet) -> None:
        if images.prompts is None:
            raise InputError(
                "the images to start from have no captions, and nothing says what to draw. "
                "Choose images with captions: shards, scenes, or a folder with prompts."
            )
        self.images = images
        self.prompts, self.seeds = list(images.prompts), list(range(len(images)))

    def true_images(self, size: int) -> np.ndarray:
        """The images as training has them, uint8 [N, size, size, 3]: the square in the middle."""
        return np.stack([self.true_image(number, size) for number in range(len(self.images))])

    def true_image(self, number: int, size: int) -> np.ndarray:
        """One of them."""
        image = torch.from_numpy(self.images.image(number)).permute(2, 0, 1)
        square = transform.centre(transform.resize(image, size), size)
        return square.permute(1, 2, 0).numpy()
