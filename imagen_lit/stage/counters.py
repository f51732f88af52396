"""What Lightning's counters must say after so many images: a function of the one clock.

Lightning counts batches, steps and validations for itself and keeps them in a checkpoint, as they
stood at the moment of saving: in the middle of a batch, or with more ranks than there are now. We
save between two batches, when all that belongs to the first is done and written down, and resume
with counters that follow from `images_seen` alone. So a validation is neither left out nor made
twice, and the number of ranks or of pieces of an update may change.

Lightning 2.6: `_TrainingEpochLoop.reset`, `.advance`, `.on_advance_end`.
"""

import copy
from typing import Any

Loops = dict[str, Any]


def after(loops: Loops, updates: int, pieces: int, validates: bool) -> Loops:
    """The loops' state, all of `updates` updates done in `pieces` batches each.

    `validates` says that a validation belongs to the last of them. Lightning then takes the batch
    for one whose end is still to be counted, so it is counted here as one update less.
    """
    loops = copy.deepcopy(loops)
    fit, batches = loops["fit_loop"], updates * pieces
    fit["epoch_loop.state_dict"]["_batches_that_stepped"] = updates - validates
    _set(fit["epoch_loop.batch_progress"], batches)
    fit["epoch_loop.batch_progress"]["is_last_batch"] = False
    _set(fit["epoch_loop.automatic_optimization.optim_progress"]["optimizer"], updates)
    for validation in fit["epoch_loop.val_loop.batch_progress"].values():
        if isinstance(validation, dict):  # none is half done
            validation |= dict.fromkeys(validation, 0)
    for epoch in fit["epoch_progress"].values():  # one endless epoch, begun
        epoch |= {"ready": 1, "started": 1, "processed": 0, "completed": 0}
    return loops


def _set(node: dict[str, Any], number: int) -> None:
    for key, value in node.items():
        if isinstance(value, dict):
            _set(value, number)
        elif not isinstance(value, bool):
            node[key] = number
