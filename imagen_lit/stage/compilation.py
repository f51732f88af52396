"""torch.compile, block by block and in place: weights keep their names, and equal blocks of one
network share what the compiler wrote.

A block is compiled for its first shapes, once more for any length of text, and again for each of
training, validation, and drawing, where it has read the text before. More often than that is a
waste that nobody sees, so it is said, with the compiler's reason.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule

from imagen_lit.basics.errors import InputError

USUAL = 6  # compilations of a block: two lengths of text; to train, to validate, and to draw
MOST = 16  # compilations of a block, after which the compiler leaves it as it is

log = logging.getLogger(__name__)


def require_backend(backend: str) -> None:
    """Raise unless torch knows it."""
    backends = torch.compiler.list_backends(exclude_tags=())
    if backend not in backends:
        raise InputError(
            f"compile={backend} is not a compiler. Allowed are null and {', '.join(backends)}. "
            "Set compile=inductor, for example."
        )


def compile_blocks(network: nn.Module, backend: str) -> None:
    """Compile each residual block and each attention of a network when it is first called."""
    require_backend(backend)
    tally = _Tally(backend)
    for name, block in blocks(network):
        block.compile(
            backend=partial(tally.compile, name), isolate_recompiles=True, recompile_limit=MOST
        )


def blocks(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The parts that say of themselves that they are compiled alone, by name."""
    for name, module in network.named_modules():
        if getattr(module, "is_compiled_alone", False):
            yield name, module


class _Tally:
    """A compiler that counts how often it compiles each block, and complains once."""

    def __init__(self, backend: str) -> None:
        self.backend = backend
        self.counts: Counter[str] = Counter()
        self.has_complained = False

    def compile(
        self, block: str, graph: GraphModule, inputs: Sequence[Tensor]
    ) -> Callable[..., Any]:
        """What torch.compile asks of a backend, for a block of that name."""
        self.counts[block] += 1
        if self.counts[block] > USUAL and not self.has_complained:
            self.has_complained = True
            log.warning(
                "the network's block %s is compiled for the %dth time, and each takes seconds: %s. "
                "Set compile=null, or make all batches alike.",
                block,
                self.counts[block],
                _reason(),
            )
        compiler = torch._dynamo.lookup_backend(self.backend)
        compiled: Callable[..., Any] = compiler(graph, list(inputs))
        return compiled


def _reason() -> str:
    """Why the current compilation is necessary, in the compiler's words."""
    from torch._dynamo.utils import get_metrics_context  # it imports the compiler

    return str(get_metrics_context()._metrics.get("recompile_reason") or "no reason given")
