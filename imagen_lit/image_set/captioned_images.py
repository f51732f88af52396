"""A set of images as prompts: its captions are drawn, and its images are the true ones."""

import numpy as np

from imagen_lit.basics.errors import InputError
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
        """The images, uint8 [N, size, size, 3]; refused at another size."""
        true = [self.images.image(number) for number in range(len(self.images))]
        for number, image in enumerate(true):
            if image.shape != (size, size, 3):
                height, width, _ = image.shape
                raise InputError(
                    f"image {number} to start from has {width} x {height} pixels, not {size} x "
                    f"{size}, the size that the stage draws. Set its size=... to {size}."
                )
        return np.stack(true)
