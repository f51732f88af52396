"""Whether a device multiplies and draws noise as the CPU does."""

import torch

from imagen_lit.basics import hardware
from imagen_lit.diffusion import noise
from imagen_lit.machine_check import truth
from imagen_lit.machine_check.finding import OK, SLOW, Finding, compared
from imagen_lit.measurement import step_parts
from imagen_lit.measurement.made_batch import made_batch

EDGE = 512
BROKEN = "Nothing that is trained here can be trusted: another driver, or another build of torch."


def products(device: torch.device) -> Finding:
    """Against the CPU's in float64; with the rates that bound every network here."""
    numbers = torch.Generator().manual_seed(0)
    a, b = (torch.randn(EDGE, EDGE, generator=numbers) for _ in range(2))
    exact = a.double() @ b.double()
    found = truth.difference([a.to(device) @ b.to(device)], [exact])
    finding = compared(found, truth.tolerance(device), "float32 differs from float64", BROKEN)
    rates = (hardware.matrix_peak(dtype, device) for dtype in (torch.float32, torch.bfloat16))
    fp32, bf16 = (rate / 1e12 for rate in rates)
    words = f"{fp32:.3g} TFLOP/s in float32, {bf16:.3g} in bf16; {finding.measured}"
    return Finding(finding.verdict, words, finding.advice)


def random_numbers(device: torch.device) -> Finding:
    """The noise of a position is that of the CPU, to rounding; and as fast as torch's."""
    positions = torch.arange(16)
    here = noise.normal(0, positions, "noise", (3, 64, 64))
    there = noise.normal(0, positions.to(device), "noise", (3, 64, 64))
    finding = compared(
        truth.difference([there], [here]), truth.FLOAT32, "differs from the CPU's", BROKEN
    )
    ours, randn = step_parts.noise_seconds(made_batch(16, 64, 8, device))
    words = f"{randn / ours:.2f} times as fast as torch.randn; {finding.measured}"
    if finding.verdict == OK and ours > 3 * randn:
        return Finding(SLOW, words, "A few percent of a step, on a device without int64 units.")
    return Finding(finding.verdict, words, finding.advice)
