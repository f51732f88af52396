"""An image at the size of its place among others, to be looked at."""

from PIL import Image


def tile(image: Image.Image, edge: int) -> Image.Image:
    """An image at `edge` pixels: enlarged so that each pixel shows, or reduced smoothly."""
    how = Image.Resampling.LANCZOS if image.width > edge else Image.Resampling.NEAREST
    return image.resize((edge, edge), how)
