"""A copy of the networks on every device, whose gradients are averaged.

The same weights take part in every step, which torch may take for granted where each backward pass
is an update of its own. It may not where gradients of micro-batches add up: in torch 2.13 the first
such pass ends in an internal error (pytorch pull request 187732).
"""

from typing import Any

from lightning.pytorch.strategies import DDPStrategy


class Replicated(DDPStrategy):
    """Gradients need no second copy to be sent, and a network's buffers are constants."""

    def __init__(self) -> None:
        super().__init__(gradient_as_bucket_view=True, forward_sync_buffers=False)

    def setup(self, trainer: Any) -> None:
        """With a static graph, if nothing is accumulated."""
        self._ddp_kwargs["static_graph"] = trainer.accumulate_grad_batches == 1
        super().setup(trainer)
