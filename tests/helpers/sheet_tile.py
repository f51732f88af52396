"""Where an image is on a sheet with captions."""

from PIL import Image

from imagen_lit.basics.captioned_grid import GAP


def sheet_tile(sheet: Image.Image, column: int, edge: int, band: int = 0) -> Image.Image:
    """Image `column` of the first row; band 1 is the one below it."""
    x, y = GAP + column * (edge + GAP), GAP + band * edge
    return sheet.crop((x, y, x + edge, y + edge))
