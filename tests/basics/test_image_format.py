"""An image's file holds what drew it in every format, and its pixels in those without loss."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imagen_lit.basics import image_format, png_metadata
from imagen_lit.basics.errors import InputError

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 16, 3), dtype=np.uint8)
FACTS = {"prompt": "красный круг 🟥", "seed": 3, "cascade": {"base": {"steps": 16}}}
TEXTS = png_metadata.texts(FACTS, "красный круг")


@pytest.mark.parametrize("name", image_format.SUFFIXES)
def test_every_format_says_what_drew_the_image(name: str, tmp_path: Path) -> None:
    file = tmp_path / f"a{image_format.suffix(name)}"
    image_format.save(Image.fromarray(PIXELS), file, TEXTS)
    facts = png_metadata.read(file)
    assert facts is not None and FACTS.items() <= facts.items()
    assert file.read_bytes() == image_format.encode(Image.fromarray(PIXELS), file.suffix, TEXTS)
    with Image.open(file) as image:
        assert image.format == name.upper()
        assert name == "png" or image.getexif()[0x010E].encode("latin-1").decode() == "красный круг"
    is_same = np.array_equal(image_format.load(file), PIXELS)
    assert is_same == (file.suffix in image_format.LOSSLESS)


@pytest.mark.parametrize("name", ["webp", "jpeg"])
def test_what_another_program_wrote_says_nothing(name: str, tmp_path: Path) -> None:
    file, exif = tmp_path / "a", Image.Exif()
    Image.fromarray(PIXELS).save(file, format=name)
    assert png_metadata.read(file) is None
    exif.get_ifd(png_metadata.EXIF)[png_metadata.COMMENT] = b'ASCII\0\0\0{"camera": 1}'
    Image.fromarray(PIXELS).save(file, format=name, exif=exif.tobytes())
    assert png_metadata.read(file) is None
    Image.fromarray(PIXELS).save(file, format=name, exif=b"Exif\0\0damaged")
    assert png_metadata.read(file) is None


def test_a_jpeg_without_room_for_its_prompt_is_refused() -> None:
    texts = png_metadata.texts({"prompt": "a" * 66_000}, "")
    with pytest.raises(InputError, match=r"too long for a JPEG.*Set format=webp"):
        image_format.encode(Image.fromarray(PIXELS), ".jpg", texts)
    with pytest.raises(InputError, match=r"^format='gif' is none of png, webp, jpeg\. Set"):
        image_format.suffix("gif")
