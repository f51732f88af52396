"""An image at the size of its place among others, to be looked at."""

from PIL import Image


def tile(image: Image.Image, edge: int) -> Image.Image:
    """An image at `edge` pixels: enlarged so that each pixel shows, or reduced smoothly. One that
    is not square lies in the middle of white."""
    longer = max(image.size)
    how = Image.Resampling.LANCZOS if longer > edge else Image.Resampling.NEAREST
    width, height = (max(1, round(side * edge / longer)) for side in image.size)
    scaled = image.resize((width, height), how)
    if width == height:
        return scaled
    square = Image.new("RGB", (edge, edge), "white")
    square.paste(scaled, ((edge - width) // 2, (edge - height) // 2))
    return square
