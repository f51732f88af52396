"""The shapes world as a source: coloured shapes in named relations, with captions and ground truth
(imagen_lit/shapes)."""

import io
from collections.abc import Mapping

from PIL import Image

from imagen_lit.basics import arguments
from imagen_lit.basics.errors import InputError
from imagen_lit.shapes import scene, world

LARGEST = 4096  # pixels of an edge: a scene is drawn with numpy, in much memory


class Shapes:
    """`count` scenes at `size` pixels, none of which is held out; scene i is a function of
    (seed, i)."""

    def __init__(
        self, count: int, size: int, seed: int, mix: Mapping[str, float] = world.TRAINING_MIX
    ) -> None:
        arguments.whole_number("source.count", count, 1)
        arguments.whole_number("source.size", size, 16)  # below that, shapes cannot be told apart
        if size > LARGEST:
            raise InputError(f"source.size={size} is larger than {LARGEST}. Set it to less.")
        arguments.whole_number("source.seed", seed, 0)
        self.count, self.size, self.seed, self.mix = count, size, seed, dict(mix)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> dict:
        """The sample `{key, image, extension, caption, metadata}`; the image is JPEG bytes, the
        metadata is the scene."""
        drawn, caption = self.describe(number)
        file = io.BytesIO()
        image = Image.fromarray(scene.render(drawn, self.size))
        image.save(file, "JPEG", quality=95, subsampling=0)
        return {
            "key": f"{number:08d}",
            "image": file.getvalue(),
            "extension": "jpg",
            "caption": caption,
            "metadata": drawn,
        }

    def state(self) -> None:
        """Scenes never change: they follow from the config alone."""

    def describe(self, number: int) -> tuple[dict, str]:
        """The scene with this number and its caption, without rendering it."""
        if not 0 <= number < self.count:
            raise IndexError(f"scene number {number} is not in 0 to {self.count - 1}")
        return world.training_scene(self.seed, number, self.mix)
