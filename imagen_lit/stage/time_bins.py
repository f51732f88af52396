"""The bins of noise levels by which a validation reports its loss: `val/loss_t0` is the cleanest.

A file of its own, so that the numbers of a run can be read without torch.
"""

TIME_BINS = 10
