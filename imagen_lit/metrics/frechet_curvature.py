"""The second derivative of the Fréchet distance: what two images do to it together, beyond what
each does alone."""

import numpy as np

from imagen_lit.metrics.frechet import Distance, Rows

PRECISION = 1e-8  # of the rank that the derivative is given


class FrechetCurvature:
    """A pair influence of the first of two sets (imagen_lit/evaluation/distance_interval.py).

    With u = W c, the vector in the coordinates in which C₁ is 1 and the transport is diag(s):

    b(x, y) = 2 sum_k s_k u_k v_k + sum_kl K_kl (u_k u_l − 1_kl)(v_k v_l − 1_kl),
    K_kl = s_k s_l / (s_k + s_l)

    The second sum is the derivative of the square root (Daleckii & Krein 1965), and the first is
    that of |m₁ − m₂|² with what the mean does to the covariance. K is a Cauchy matrix, whose
    eigenvalues fall so fast that some twenty of them are all.
    """

    def __init__(self, features: Rows, result: Distance) -> None:
        self.features, self.result = features, result
        stretch = result.stretch
        sums = stretch[:, None] + stretch
        kernel = np.zeros_like(sums)
        np.divide(np.outer(stretch, stretch), sums, out=kernel, where=sums > 0)
        values, vectors = np.linalg.eigh(kernel)
        is_large = values > PRECISION * values[-1]
        self.root = vectors[:, is_large] * np.sqrt(values[is_large])
        self.diagonal = kernel.diagonal()

    def __call__(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """b of each pair."""
        images, places = np.unique(np.concatenate([first, second]), return_inverse=True)
        rows = self.features[images] - self.result.first.mean
        rows = rows @ self.result.whitening.T
        alone = rows**2 @ self.diagonal
        one, other = places[: len(first)], places[len(first) :]
        products = rows[one] * rows[other]
        together = ((products @ self.root) ** 2).sum(axis=1)
        squares = together - alone[one] - alone[other] + self.diagonal.sum()
        return 2 * (products @ self.result.stretch) + squares
