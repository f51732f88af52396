"""torch.compile of a network's blocks, with the compiler's graphs but without its C++."""

import logging

import pytest
import torch
from tiny_network import BATCH, build, call, text_width
from torch import nn

from imagen_lit.basics.errors import InputError
from imagen_lit.network.layers import ResidualBlock
from imagen_lit.stage import compilation


def captions(network: nn.Module, tokens: int) -> dict[str, torch.Tensor]:
    g = torch.Generator().manual_seed(tokens)
    text = torch.randn(BATCH, tokens, text_width(network), generator=g)
    return {"text": text, "mask": torch.ones(BATCH, tokens, dtype=torch.bool)}


def run_as(network: nn.Module, text: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    """Its output as in training, in validation, and in drawing."""
    trained = call(network, **text)
    with torch.no_grad():
        return [trained, call(network, **text), call(network, **text, reading=network.read(**text))]


def test_compiled_blocks_are_the_same_function_for_captions_of_any_length(
    caplog: pytest.LogCaptureFixture,
) -> None:
    torch.compiler.reset()
    network, plain = (
        build("demo_efficient_unet_crop", channels=[16], blocks=[1]) for _ in range(2)
    )
    names = list(network.state_dict())
    compilation.compile_blocks(network, "eager")
    with caplog.at_level(logging.WARNING):
        for tokens in (5, 9, 12):
            text = captions(network, tokens)
            torch.testing.assert_close(run_as(network, text), run_as(plain, text))
    assert not caplog.messages, "each once for the first length and once for any"
    assert list(network.state_dict()) == names


def test_a_block_that_is_compiled_again_and_again_is_said_with_a_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    torch.compiler.reset()
    network = nn.ModuleDict({"block": ResidualBlock(16, 16, embedding=8)})
    compilation.compile_blocks(network, "eager")
    for has_gradients in (False, True):
        for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16):
            network.to(dtype)
            with torch.set_grad_enabled(has_gradients):
                x, embedding = torch.ones(2, 16, 4, 4), torch.ones(2, 8)
                network["block"](x.to(dtype), embedding.to(dtype))
    (message,) = [text for text in caplog.messages if "block block" in text]
    assert "for the 7th time" in message
    assert "expected" in message or "grad_mode" in message
    assert "Set compile=null" in message


def test_an_unknown_compiler_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match=r"compile=fast is not a compiler.*inductor"):
        compilation.compile_blocks(build("demo_efficient_unet_crop"), "fast")
