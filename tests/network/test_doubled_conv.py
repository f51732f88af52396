"""A convolution of the doubled picture, computed on the small one."""

import pytest
import torch
import torch.nn.functional as F
from tiny_network import build, call, doubles

from imagen_lit.network import doubled_conv


def test_it_is_the_convolution_of_the_doubled_picture() -> None:
    g = torch.Generator().manual_seed(0)
    shapes = ((2, 5, 4, 6), (7, 5, 3, 3), (7,))
    inputs = [torch.randn(s, generator=g, dtype=torch.double, requires_grad=True) for s in shapes]
    x, weight, bias = inputs
    plain = F.conv2d(F.interpolate(x, scale_factor=2.0), weight, bias, padding=1)
    cheap = doubled_conv.conv_of_doubled(x, weight, bias)
    torch.testing.assert_close(cheap, plain)
    other = torch.randn(plain.shape, generator=g, dtype=torch.double)
    for one, two in zip(
        torch.autograd.grad(cheap, inputs, other),
        torch.autograd.grad(plain, inputs, other),
        strict=True,
    ):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize("option", ["demo_unet", "unet_300m"])
def test_a_network_with_it_is_the_same_function(
    option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = []
    for is_faster in (False, True):
        monkeypatch.setattr(doubled_conv, "is_faster", lambda x, answer=is_faster: answer)
        network = build(option).double()
        output = call(network, **doubles(network))
        output.square().sum().backward()
        results.append([output, *(p.grad for p in network.parameters())])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-7)
