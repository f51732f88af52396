"""The bins of noise levels by which a validation reports its loss: `val/loss_t0` is the cleanest.

Apart from the training, because whoever reads the numbers of a run needs no torch.
"""

TIME_BINS = 10
