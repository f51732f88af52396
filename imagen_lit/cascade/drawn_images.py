"""The images that one stage of a cascade drew, as a set to be measured
(imagen_lit/image_set/image_set.py)."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from imagen_lit.basics import pixels


class DrawnImages:
    """Image i lies in `files[i]` and shows `prompts[i]`, drawn from `seeds[i]`; `source` is the
    digest of all else that decided it (imagen_lit/run/provenance.py)."""

    def __init__(
        self,
        files: Sequence[Path],
        prompts: Sequence[str],
        seeds: Sequence[int],
        size: int,
        source: str,
    ) -> None:
        self.files, self.prompts, self.seeds = files, list(prompts), list(seeds)
        self.size, self.source = size, source

    def __len__(self) -> int:
        return len(self.files)

    def image(self, number: int) -> np.ndarray:
        """uint8 [size, size, 3]."""
        return pixels.load_png(self.files[number])

    def facts(self) -> dict[str, Any]:
        """What drew them, and for which prompts and seeds."""
        requests = json.dumps([self.prompts, self.seeds]).encode()
        return {
            "origin": "cascade",
            "source": self.source,
            "requests": hashlib.sha256(requests).hexdigest()[:12],
            "count": len(self),
            "format": "PNG",
            "size": f"{self.size}x{self.size}",
        }
