"""What the extractors have in common whose weights are one file of a known sha256."""

from pathlib import Path

from imagen_lit.basics.arguments import whole_number
from imagen_lit.basics.device import choose
from imagen_lit.features.resize import way_of


class WeightsExtractor:
    """The file at `path`, which `make_command` brings, how images are resized
    (`features/resize.py`), and how many at a time."""

    def __init__(
        self,
        path: str,
        sha256: str,
        resize: str,
        batch: int,
        device: str,
        make_command: str | None,
    ) -> None:
        self.make_command = make_command
        self.path, self.sha256 = Path(path), sha256
        self.resize = way_of(resize)
        self.batch = whole_number("batch", batch, 1)
        self.device = choose(device)
