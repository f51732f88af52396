"""Print the table of docs/drawing.md: the error of each sampler on each spacing, for a Gaussian."""

import math
from itertools import pairwise

import torch
from test_sampler import (
    COVARIANCE,
    DETERMINISTIC,
    MEAN,
    Ancestral,
    Cosine,
    distance,
    flow_of_noise,
    law_of_image,
)

from imagen_lit.diffusion.spacing import EDM, LogSNR, Time

STEPS = (8, 16, 32, 64, 128, 256)

if __name__ == "__main__":
    torch.set_num_threads(1)
    print("| sampler | spacing |", *(f"{steps} |" for steps in STEPS), "order |")
    print("|---|---|" + "---|" * (len(STEPS) + 1))
    for sampler in (*DETERMINISTIC, Ancestral()):
        target = (MEAN, COVARIANCE) if sampler == Ancestral() else flow_of_noise(Cosine())
        for spacing in (Time(), LogSNR(), EDM()):
            laws = (law_of_image(sampler, Cosine(), steps, spacing) for steps in STEPS)
            errors = [distance(law, target) for law in laws]
            orders = [math.log2(coarse / fine) for coarse, fine in pairwise(errors)]
            order = orders[-1 if sampler.order == 1 else 2]
            names = type(sampler).__name__, type(spacing).__name__.lower()
            cells = (f"{error:.2g}" for error in errors)
            print("|", " | ".join([*names, *cells, f"{order:.2f}"]), "|")
