"""A reference of which only the mean and covariance of its features are at hand, as papers publish
them: an .npz file with `mu` [d] and `sigma` [d, d].

FD can be measured against it, and nothing else can. The file does not say how its images were
prepared, nor by which weights: whoever names it vouches that the extractor is the same.
"""

import hashlib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from imagen_lit.basics.errors import InputError
from imagen_lit.basics.process_share import Share
from imagen_lit.features.extractor import Extractor
from imagen_lit.metrics.frechet import Gaussian
from imagen_lit.metrics.sample import ALL, Report, silent


def read(file: Path) -> Gaussian:
    """The Gaussian in a file; raise if it holds none."""
    if not file.is_file():
        raise InputError(f"{file} is no file. Give an .npz file with mu and sigma.")
    try:
        with np.load(file, allow_pickle=False) as arrays:
            mean, covariance = (arrays[name].astype(np.float64) for name in ("mu", "sigma"))
    except (KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{file} holds no mu and sigma. Give an .npz file with both.") from error
    is_square = mean.ndim == 1 and covariance.shape == (len(mean), len(mean))
    if not is_square or not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise InputError(
            f"{file} holds mu {list(mean.shape)} and sigma {list(covariance.shape)}, which are no "
            "finite mean and covariance. Give those of one set of features."
        )
    return Gaussian(mean, covariance)


class GaussianFile:
    """Stands in the reference's place for FD."""

    def __init__(self, file: str) -> None:
        self.file, self._gaussian = Path(file), read(Path(file))

    def extract(self, extractor: Extractor, share: Share = ALL, report: Report = silent) -> bool:
        """Nothing is left to do."""
        return True

    def gaussian(self, extractor: Extractor) -> Gaussian:
        """As it is in the file; refused if of another width."""
        width = len(self._gaussian.mean)
        if width != extractor.width:
            raise InputError(
                f"{self.file} is of {width} dimensions, and the extractor of {extractor.width}. "
                "Choose the extractor that it was made with."
            )
        return self._gaussian

    def reference_facts(self) -> dict[str, Any]:
        """The digest of the two arrays: all that is known."""
        digest = hashlib.sha256()
        for array in self._gaussian:
            digest.update(array.tobytes())
        return {"mean_and_covariance": digest.hexdigest()}
