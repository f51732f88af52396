"""Published statistics of features, a reference without its images: the mean and covariance that a
FID is computed from, as other projects write them."""

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from imagen_lit.basics.errors import InputError

SYMMETRY = 1e-4  # largest difference of a covariance and its transpose, relative to its largest
ADVICE = "Set path=... to a file with the arrays mu [d] and sigma [d, d], as pytorch-fid writes it."


class StatisticsFile:
    """An .npz with `mu` [d] and `sigma` [d, d]; nothing in it is executed. What they are of, and
    how the images were resized, no such file says: its protocol is its hash."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f"there is no file {path}. {ADVICE}")
        arrays = _arrays(self.path)
        self.mean, self.covariance = arrays["mu"], arrays["sigma"]
        self.width = len(self.mean) if self.mean.ndim == 1 else 0
        if not self.width or self.covariance.shape != (self.width, self.width):
            shapes = f"{self.mean.shape} and {self.covariance.shape}"
            raise InputError(f"mu and sigma of {path} have shapes {shapes}. {ADVICE}")
        if not (np.isfinite(self.mean).all() and np.isfinite(self.covariance).all()):
            raise InputError(f"{path} has numbers that are not finite. Fetch it again.")
        difference = np.abs(self.covariance - self.covariance.T).max()
        is_symmetric = difference <= SYMMETRY * np.abs(self.covariance).max()
        if not is_symmetric or self.covariance.diagonal().min() < 0:
            raise InputError(
                f"sigma of {path} is no covariance: it is not symmetric, or has a variance below "
                f"0. {ADVICE}"
            )

    def facts(self) -> Mapping[str, Any]:
        """The same wherever the file lies."""
        return {"origin": "statistics", "width": self.width, "sha256": self._digest}

    @cached_property
    def _digest(self) -> str:
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """Both, in float64."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: np.asarray(file[name], np.float64) for name in ("mu", "sigma")}
    except MemoryError:
        raise
    except Exception as error:  # no zip, a lacking name, objects, complex: half a dozen kinds
        words = str(error).strip("'\"").rstrip(".")
        raise InputError(f"{path} holds no such statistics ({words}). {ADVICE}") from error
