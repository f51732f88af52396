"""Decoding refuses what is dangerous, and resizing is measured against Pillow."""

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_world import jpeg

from imagen_lit.basics import pixels
from imagen_lit.data import transform

rng = np.random.default_rng(0)


def encode(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def photo(edge: int) -> Image.Image:
    """Smooth colour, sharp edges and some noise."""
    coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
    image = np.asarray(coarse.resize((edge, edge), Image.Resampling.BICUBIC)).astype(float)
    image[edge // 4 : edge // 2, edge // 3 : -edge // 8] = (250, 20, 90)
    image += rng.normal(0, 8, image.shape)
    return Image.fromarray(image.clip(0, 255).astype(np.uint8))


def error(a: torch.Tensor, image: Image.Image) -> float:
    """Root mean square difference in grey levels."""
    b = torch.from_numpy(np.array(image)).permute(2, 0, 1)
    return float((a.double() - b.double()).square().mean().sqrt())


@pytest.mark.parametrize("edge", [16, 64, 100])
def test_decoding_and_resizing_agree_with_pillow(edge: int) -> None:
    data = encode(photo(256), "JPEG", quality=95)
    whole = Image.open(io.BytesIO(data)).convert("RGB")
    ours = transform.resize(transform.decode(data, edge), edge)
    assert error(ours, whole.resize((edge, edge), Image.Resampling.BICUBIC)) < 0.6


def test_a_large_jpeg_is_not_decoded_in_full_for_a_small_image() -> None:
    data = encode(photo(512), "JPEG")
    assert transform.decode(data, 16).shape == (3, 64, 64)
    assert transform.decode(data, 128).shape == (3, 512, 512)


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA"])
def test_a_large_image_averaged_down_is_nearly_the_same_image(mode: str) -> None:
    whole = photo(768).convert(mode)
    small = transform.resize(transform.decode(encode(whole), 40), 40)
    assert transform.decode(encode(whole), 40).shape == (3, 192, 192)
    plain = whole.convert("RGB").resize((40, 40), Image.Resampling.BICUBIC)
    assert error(small, plain) < 0.8


def test_fine_stripes_do_not_alias() -> None:
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    small = transform.resize(transform.decode(encode(Image.fromarray(stripes)), 20), 20)
    assert (small.float() - 127.5).abs().max() < 8


def test_the_shorter_side_is_resized_and_the_middle_is_kept() -> None:
    wide = Image.new("RGB", (90, 30))
    wide.paste((255, 255, 255), (30, 0, 60, 30))
    image = transform.resize(transform.decode(encode(wide), 30), 30)
    assert image.shape == (3, 30, 90)
    assert transform.centre(image, 30).min() == 255
    assert transform.resize(image, 10).shape == (3, 10, 30)


def test_transparent_pixels_become_white() -> None:
    pil = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    pil.paste((0, 0, 255, 255), (0, 0, 4, 8))
    for kind in ("PNG", "WEBP"):
        image = transform.decode(
            encode(pil, kind, **{"lossless": True} if kind == "WEBP" else {}), 8
        )
        assert image[:, 4, 6].tolist() == [255, 255, 255]
        assert image[:, 4, 1].tolist() == [0, 0, 255]


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "1", "LA"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    image = Image.new("RGB", (8, 8), (200, 200, 200)).convert(mode)
    data = encode(image, "JPEG" if mode == "CMYK" else "PNG")
    expected = image.convert("RGB").getpixel((0, 0))
    assert transform.decode(data, 8)[:, 0, 0].tolist() == pytest.approx(expected, abs=2)


def test_sixteen_bit_grey_keeps_its_shades() -> None:
    shades = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    image = transform.decode(encode(Image.fromarray(shades)), 8)
    assert torch.equal(image[0], torch.from_numpy((shades >> 8).astype(np.uint8)))


def test_an_image_that_was_taken_sideways_is_turned_upright() -> None:
    pil = Image.new("RGB", (16, 8), "black")
    pil.paste((255, 255, 255), (0, 0, 8, 8))  # the left half is white
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate by 90 degrees to the right": what was left is on top
    image = transform.decode(encode(pil, "JPEG", exif=exif, quality=95), 8)
    assert image.shape == (3, 16, 8)
    assert image[:, 1].min() > 240
    assert image[:, -2].max() < 15


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_recorded_orientation_turns_an_image_as_its_own_exif_would(
    orientation: int,
) -> None:
    g = np.random.default_rng(0)
    image = Image.fromarray(g.integers(0, 255, (8, 16, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    own = transform.decode(encode(image, "PNG", exif=exif), 8)
    lost = transform.decode(encode(image, "PNG"), 8, orientation)
    assert torch.equal(own, lost)
    both = transform.decode(encode(image, "PNG", exif=exif), 8, orientation)
    assert torch.equal(own, both), "an image with an orientation of its own is not turned twice"


def png_header(width: int, height: int) -> bytes:
    """The start of a PNG that promises a size."""
    data = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    checked = struct.pack(">I", 13) + data + struct.pack(">I", zlib.crc32(data))
    return b"\x89PNG\r\n\x1a\n" + checked + struct.pack(">I", 1000) + b"IDAT"


BAD = {
    "nothing": b"",
    "words": b"this is not an image",
    "a cut JPEG": jpeg(5, 64)[:-200],
    "a JPEG's header": jpeg(5, 64)[:200],
    "EPS under another name": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\nshowpage\n",
    "BMP": encode(Image.new("RGB", (64, 64)), "BMP"),
    "GIF": encode(Image.new("RGB", (64, 64)), "GIF"),
    "a PNG of 0.9 gigapixels": png_header(30_000, 30_000),
    "a PNG of 64 megapixels": png_header(8_000, 8_000),
    "too small an image": jpeg(0, 15),
}


@pytest.mark.filterwarnings("error::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_other_bytes_than_a_training_image_are_unusable(data: bytes) -> None:
    with pytest.raises(transform.Unusable):
        transform.decode(data, 16)


def test_the_reason_is_given_in_words() -> None:
    with pytest.raises(transform.Unusable, match="8000 x 8000 pixels, more than"):
        transform.decode(BAD["a PNG of 64 megapixels"], 16)
    with pytest.raises(transform.Unusable, match="15 x 15 pixels, fewer than 16"):
        transform.decode(BAD["too small an image"], 16)


def test_signed_images_fill_minus_one_to_one() -> None:
    values = pixels.to_signed(torch.arange(256, dtype=torch.uint8))
    assert (values[0], values[255]) == (-1.0, 1.0)
    assert torch.allclose(values, torch.linspace(-1, 1, 256), atol=1e-6)


def test_flipping_twice_changes_nothing() -> None:
    image = transform.decode(jpeg(3), 32)
    assert not torch.equal(transform.flip(image), image)
    assert torch.equal(transform.flip(transform.flip(image)), image)
