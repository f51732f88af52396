"""The Fréchet distance between the Gaussians that fit two sets of features, and the influence of
each feature vector on it.

d² = |m₁ − m₂|² + Tr(C₁ + C₂ − 2 (C₁C₂)^½)       (Dowson & Landau 1982; Heusel et al. 2017, eq. 6)

With C = F Fᵀ, Tr (C₁C₂)^½ is the sum of the singular values of F₁ᵀF₂. Nothing is squared on the
way, so directions without variance add no noise, as they do under the root of a product.
"""

from typing import NamedTuple, Protocol

import numpy as np

from imagen_lit.basics.errors import InputError

CHUNK = 2048  # rows at once: the features themselves never need be in memory


class Rows(Protocol):
    """An array of feature vectors, in memory or in files."""

    @property
    def shape(self) -> tuple[int, ...]:
        """[n, d]."""

    def __getitem__(self, rows: slice | np.ndarray, /) -> np.ndarray:
        """These rows, or those with these numbers."""


class Gaussian(NamedTuple):
    """Mean [d] and covariance [d, d] in float64."""

    mean: np.ndarray
    covariance: np.ndarray


def refuse_few(count: int, width: int) -> None:
    """Raise if so many images have a singular covariance in so many dimensions."""
    if count <= width:
        raise InputError(
            f"fd needs more images than its features have dimensions, and there are {count} images "
            f"and {width} dimensions: the covariance would be singular, and the distance would "
            f"measure their number. Give {width + 1:,} images or more, choose features of fewer "
            "dimensions, or measure kid, which fits few images."
        )


def fit(features: Rows) -> Gaussian:
    """The mean and the unbiased covariance; refused where they would be singular."""
    count, width = features.shape
    refuse_few(count, width)
    starts = range(0, count, CHUNK)
    total, scatter = np.zeros(width), np.zeros((width, width))
    for start in starts:
        total += features[start : start + CHUNK].sum(axis=0, dtype=np.float64)
    mean = total / count
    for start in starts:
        centred = features[start : start + CHUNK] - mean  # float64
        scatter += centred.T @ centred
    return Gaussian(mean, scatter / (count - 1))


class Distance(NamedTuple):
    """The squared distance d², and what `influence` needs."""

    value: float
    first: Gaussian
    second: Gaussian
    whitening: np.ndarray  # W: W C₁ Wᵀ = 1
    stretch: np.ndarray  # s: the optimal transport T = Wᵀ diag(s) W, T C₁ T = C₂


def distance(first: Gaussian, second: Gaussian) -> Distance:
    """Between two Gaussians of the same width."""
    if first.mean.shape != second.mean.shape:
        raise InputError(
            f"features of width {len(first.mean)} and of width {len(second.mean)} cannot be "
            "compared. Choose one extractor for both."
        )
    factor, inverse = _factors(first.covariance)
    other, _ = _factors(second.covariance)
    left, stretch, _ = np.linalg.svd(factor.T @ other)
    gap = first.mean - second.mean
    traces = np.trace(first.covariance) + np.trace(second.covariance)
    value = float(gap @ gap + traces - 2 * stretch.sum())
    return Distance(value, first, second, left.T @ inverse, stretch)


def influence(features: Rows, result: Distance) -> np.ndarray:
    """n times what each of the first set's n vectors adds to the distance, to first order:

    2 (m₁ − m₂)ᵀ c + cᵀ(1 − T) c − its mean, for c = x − m₁; T is the optimal transport between the
    Gaussians, by which the distance is differentiated (Takatsu 2011).
    """
    count = features.shape[0]
    gap, values = result.first.mean - result.second.mean, np.empty(count)
    for start in range(0, count, CHUNK):
        centred = features[start : start + CHUNK] - result.first.mean
        transport = (centred @ result.whitening.T) ** 2 @ result.stretch
        values[start : start + CHUNK] = centred @ (2 * gap) + (centred**2).sum(axis=1) - transport
    return values - values.mean()


def _factors(covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """F with F Fᵀ = C, and its pseudo-inverse: zero in directions without variance."""
    variances, directions = np.linalg.eigh(covariance)
    smallest = variances[-1] * len(variances) * np.finfo(np.float64).eps
    roots = np.sqrt(np.maximum(variances, 0))
    inverse = np.divide(1, roots, out=np.zeros_like(roots), where=variances > smallest)
    return directions * roots, (directions * inverse).T
