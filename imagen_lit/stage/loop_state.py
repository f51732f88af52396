"""What Lightning's loop counters must be after so many images: a function of the one clock.

Lightning counts batches, steps and validations itself and saves the counts in a checkpoint, as they
are at the moment of saving: in the middle of a batch, or with more ranks than there are now. We
save between two batches, when everything that belongs to the first is done and logged, and resume
with counters that follow from `images_seen` alone. So a validation is neither skipped nor run
twice, and the number of ranks or of accumulation steps may change.

Lightning 2.6: `_TrainingEpochLoop.reset`, `.advance`, `.on_advance_end`.
"""

import copy
from typing import Any

Loops = dict[str, Any]


def after(loops: Loops, updates: int, accumulation_steps: int, validates: bool) -> Loops:
    """The loops' state after `updates` updates of `accumulation_steps` batches each.

    `validates` says that a validation belongs to the last of them. Lightning then counts the end of
    that batch itself, so it is counted here as one update less.
    """
    loops = copy.deepcopy(loops)
    fit, batches = loops["fit_loop"], updates * accumulation_steps
    fit["epoch_loop.state_dict"]["_batches_that_stepped"] = updates - validates
    _set_counts(fit["epoch_loop.batch_progress"], batches)
    fit["epoch_loop.batch_progress"]["is_last_batch"] = False
    _set_counts(fit["epoch_loop.automatic_optimization.optim_progress"]["optimizer"], updates)
    for validation in fit["epoch_loop.val_loop.batch_progress"].values():
        if isinstance(validation, dict):  # validations are never half done
            validation |= dict.fromkeys(validation, 0)
    for epoch in fit["epoch_progress"].values():  # one endless epoch, begun
        epoch |= {"ready": 1, "started": 1, "processed": 0, "completed": 0}
    return loops


def _set_counts(node: dict[str, Any], number: int) -> None:
    for key, value in node.items():
        if isinstance(value, dict):
            _set_counts(value, number)
        elif not isinstance(value, bool):
            node[key] = number
