"""Whether a stage trains and draws on a device as on the CPU, and how fast at its real size."""

import copy
import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from imagen_lit.basics import hardware
from imagen_lit.machine_check import truth
from imagen_lit.machine_check.finding import OK, SLOW, WRONG, Finding, compared
from imagen_lit.measurement import drawing_rate, step_parts
from imagen_lit.measurement.made_batch import made_batch
from imagen_lit.run import meta_device
from imagen_lit.stage.recipe import Recipe
from imagen_lit.stage.training import Stage

STEPS = 2  # updates, and sampling steps, of the tiny sizes
LEAST_SHARE = 0.2  # of the matrix peak; below it something is wrong with the set-up
GREY = 0.04  # in [-1, 1]: five grey levels, after some steps of guidance
REPORT = "Send the JSON file with an issue, and train on the CPU or another device meanwhile."
FASTER = "Try compile=inductor and larger micro-batches; python -m imagen_lit.bench tells the rest."


@dataclass(frozen=True)
class Case:
    """A stage at one size, and how it draws."""

    make: Callable[[], Stage]
    recipe: Recipe
    edge: int  # of the images it is trained on
    size: int  # of those it draws
    text_width: int
    images: int  # of a micro-batch


def new(case: Case) -> Stage:
    """The stage on the CPU, the same each time, without layers of zeros."""
    torch.manual_seed(0)
    stage = case.make()
    truth.fill_zero_layers(stage.denoiser)
    stage.ema.load_state_dict(stage.denoiser.state_dict())
    return stage


def learns_alike(case: Case, device: torch.device) -> Finding:
    """Losses and gradients of a few updates against the CPU's."""
    here, there = new(case), new(case).to(device)
    losses, gradients = _learn(here, case, torch.device("cpu"))
    found, answers = _learn(there, case, device)
    apart = max(truth.difference(answers, gradients), truth.difference(found, losses))
    return compared(apart, truth.tolerance(device), "differs from the CPU", REPORT)


def _learn(stage: Stage, case: Case, device: torch.device) -> tuple[list[Tensor], list[Tensor]]:
    """The losses, and the gradients of the first update."""
    batch = made_batch(case.images, case.edge, case.text_width, device)
    optimizer, losses, gradients = stage.configure_optimizers(), list[Tensor](), list[Tensor]()
    for group in optimizer.param_groups:
        group["lr"] = 1e-4  # small, as Adam's first step is a sign, which rounding can turn
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = step_parts.loss_of(stage, batch)
        loss.backward()
        gradients = gradients or [each.clone() for each in truth.gradients(stage.denoiser)]
        optimizer.step()
        losses.append(loss.detach())
    return losses, gradients


def draws_alike(case: Case, device: torch.device) -> Finding:
    """Pixels after a few steps against the CPU's."""
    pictures = [_draw(new(case).eval(), case, torch.device("cpu"))]
    pictures.append(_draw(new(case).eval().to(device), case, device).cpu())
    apart = float((pictures[0] - pictures[1]).abs().max())
    return compared(apart, GREY, "pixels differ from the CPU's", REPORT)


def _draw(stage: Stage, case: Case, device: torch.device) -> Tensor:
    recipe, images = replace(case.recipe, steps=STEPS), case.images
    condition = drawing_rate.made_condition(
        stage, recipe, images, case.size, case.text_width, device
    )
    return recipe.draw(stage.ema, condition, [*range(images)], case.size)


def half_is_enough(case: Case, device: torch.device) -> Finding:
    """Loss and gradients in bf16 against float32, both on the device."""
    stage = new(case).to(device)
    batch = made_batch(case.images, case.edge, case.text_width, device)
    answers = []
    for context in (torch.autocast(device.type, torch.bfloat16), nullcontext()):
        stage.zero_grad()
        with context:
            loss = step_parts.loss_of(stage, batch)
        loss.backward()
        answers.append([loss.detach(), *(each.clone() for each in truth.gradients(stage))])
    apart = truth.difference(*answers)
    advice = "Train with trainer.precision=32-true, and send the JSON file with an issue."
    return compared(apart, truth.BFLOAT16, "bf16 differs from float32", advice)


def trains_fast(case: Case, device: torch.device) -> Finding:
    """Updates in bf16 at the real size: a share of the peak, and a loss that float32 confirms."""
    with torch.device("meta"):
        flops = meta_device.count_flops(case.make(), case.edge, case.text_width)
    torch.manual_seed(0)
    with device:  # billions of first weights take minutes on a CPU
        stage = case.make()
    batch = made_batch(case.images, case.edge, case.text_width, device)
    half = partial(torch.autocast, device.type, torch.bfloat16)
    with torch.no_grad():
        exact = float(step_parts.loss_of(stage, batch))
        with half():
            rounded = float(step_parts.loss_of(stage, batch))
    parts = step_parts.step_parts(stage, batch, half, repeats=3)
    rate = case.images / sum(parts.values())
    share = rate * flops / hardware.matrix_peak(torch.bfloat16, device)
    memory = hardware.peak_memory(device)
    words = f"{rate:.3g} images/s, {share:.1%} of the bf16 peak, {memory:.1f} GiB"
    if not math.isfinite(rounded) or abs(rounded - exact) > truth.LOSS * abs(exact):
        return Finding(WRONG, f"loss {rounded:.4f} in bf16, {exact:.4f} in float32", REPORT)
    return Finding(SLOW, words, FASTER) if share < LEAST_SHARE else Finding(OK, words)


def draws_fast(case: Case, device: torch.device) -> Finding:
    """Sampling steps a second at the real size; every pixel has to be a number."""
    torch.manual_seed(0)
    with device:
        stage = case.make().eval()
    del stage.denoiser
    recipe = replace(case.recipe, precision="bf16-mixed")
    picture = _draw(stage, replace(case, images=1, recipe=recipe), device)
    if not picture.isfinite().all():
        return Finding(WRONG, "pixels that are no numbers", REPORT)
    place = case.size, case.text_width, device
    rate = drawing_rate.steps_per_second(stage, recipe, 1, *place)
    if rate is None:
        return Finding(SLOW, "a step of one image takes many seconds", FASTER)
    return Finding(OK, f"{rate:.3g} steps/s of one image, so {case.recipe.steps / rate:.3g} s each")


def learns_alike_compiled(case: Case, device: torch.device, backend: str) -> Finding:
    """Loss and gradients of a compiled network against the same one's, eager."""
    stage = new(case).to(device)
    compiled = copy.deepcopy(stage)
    compiled.compile_networks(backend)
    batch = made_batch(case.images, case.edge, case.text_width, device)
    answers = []
    for each in (compiled, stage):
        loss = step_parts.loss_of(each, batch)
        loss.backward()
        answers.append([loss.detach(), *truth.gradients(each.denoiser)])
    apart = truth.difference(*answers)
    advice = "Train without compile=..., and send the JSON file with an issue."
    return compared(apart, truth.tolerance(device), f"{backend} differs from eager", advice)


def compiled_is_faster(case: Case, device: torch.device, backend: str) -> Finding:
    """A step in bf16 at a real size, compiled and eager."""
    batch = made_batch(case.images, case.edge, case.text_width, device)
    half, seconds = partial(torch.autocast, device.type, torch.bfloat16), list[float]()
    for name in (None, backend):
        with device:
            stage = case.make()
        stage.compile_networks(name)
        seconds.append(sum(step_parts.step_parts(stage, batch, half, repeats=3).values()))
        del stage
    words = f"a step of {case.images} takes {seconds[1] * 1e3:.0f} ms, {seconds[0] * 1e3:.0f} eager"
    if seconds[1] > seconds[0]:
        return Finding(SLOW, words, "Train without compile=... on this machine.")
    return Finding(OK, words)
