"""Print what FD of 30,000 images in 2,048 dimensions costs, and its interval, in seconds of CPU:
`interval_cost.py 4` with four images a prompt. Features are noise, written to a temporary folder
(245 MB)."""

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from imagen_lit.evaluation.distance_interval import distance_interval, influences
from imagen_lit.metrics import frechet
from imagen_lit.metrics.feature_parts import FeatureParts
from imagen_lit.metrics.frechet_curvature import FrechetCurvature

COUNT, WIDTH = 30_000, 2048

if __name__ == "__main__":
    groups = np.arange(COUNT) // int(sys.argv[1])
    rng, spreads = np.random.default_rng(0), np.linspace(1, 0.05, WIDTH, dtype=np.float32)
    with tempfile.TemporaryDirectory() as folder:
        features = FeatureParts(Path(folder), COUNT, WIDTH)
        for part in features.missing():
            rows = rng.normal(size=(len(features.rows(part)), WIDTH))
            features.write(part, rows.astype(np.float32) * spreads)
        reference = frechet.Gaussian(np.zeros(WIDTH), np.diag(spreads.astype(float) ** 2))
        start = time.process_time()
        result = frechet.distance(frechet.fit(features), reference)
        scored = time.process_time()
        influence = frechet.influence(features, result)
        own = influences(influence, FrechetCurvature(features, result), groups)
        ends = distance_interval(result.value, result.value, own, groups) if own else None
        end = time.process_time()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"score {scored - start:.1f} s, interval {end - scored:.1f} s, {memory:.2f} GiB")
    print(result.value, ends)
