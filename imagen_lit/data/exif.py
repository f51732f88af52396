"""EXIF orientation: how a photograph must be turned to be upright; 1 if it already is.

A file has it in its own EXIF block. img2dataset stores a sideways photograph as it is and drops
that block; the orientation remains in the sample's .json, as JSON inside a JSON string.
"""

from PIL import Image

from imagen_lit.data.shard_files import metadata

TAG = 0x0112
TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
NAMES = {  # exifread's, which img2dataset writes
    "Mirrored horizontal": 2,
    "Rotated 180": 3,
    "Mirrored vertical": 4,
    "Mirrored horizontal then rotated 90 CCW": 5,
    "Rotated 90 CW": 6,
    "Mirrored horizontal then rotated 90 CW": 7,
    "Rotated 90 CCW": 8,
}


def orientation_from_json(text: bytes) -> int:
    """The orientation that a sample's .json records; 1 if it records none."""
    if b"Image Orientation" not in text:
        return 1
    exif = metadata.parse(text).get("exif")
    name = metadata.parse(exif).get("Image Orientation") if isinstance(exif, str) else None
    return NAMES.get(name, 1) if isinstance(name, str) else 1


def upright(image: Image.Image, orientation: int, recorded: int) -> Image.Image:
    """The image turned by its own orientation or, where that is 1, by the recorded one."""
    transpose = TRANSPOSES.get(recorded if orientation == 1 else orientation)
    return image.transpose(transpose) if transpose is not None else image
