"""Networks measured in turns: so many rounds of forward and backward passes of each, and of the
matrix product that bounds them, so that a busy moment of the machine meets them all."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from imagen_lit.basics import hardware
from imagen_lit.measurement import stopwatch
from imagen_lit.measurement.peer_networks import Contestant, Inputs

PRECISIONS = {"32-true": torch.float32, "bf16-mixed": torch.bfloat16}
PEAK_SECONDS = 0.5  # of matrix products, each round


@dataclass
class Lane:
    """One network in one precision, with what was measured."""

    name: str
    contestant: Contestant
    precision: str
    flops: int = 0  # of an image, forward and backward
    rates: list[float] = field(default_factory=list)  # images/s of each round

    @property
    def parameters(self) -> int:
        """Of the network."""
        return sum(p.numel() for p in self.contestant.network.parameters())


@dataclass
class Race:
    """The lanes, and the best matrix product of each precision in FLOP/s."""

    lanes: list[Lane]
    peaks: dict[str, float]

    def share_of_peak(self, lane: Lane) -> float:
        """Of the best round."""
        return max(lane.rates) * lane.flops / self.peaks[lane.precision]


def run(race: Race, given: Inputs, rounds: int, passes: int) -> Iterator[tuple[int, int]]:
    """Measure, and yield (done, total) after each lane of each round; first they warm up."""
    device, images = given.z.device, len(given.z)
    total, done = (1 + rounds) * len(race.lanes), 0
    for number in range(1 + rounds):
        for precision in {lane.precision: None for lane in race.lanes}:
            peak = hardware.matrix_peak(PRECISIONS[precision], device, seconds=PEAK_SECONDS)
            race.peaks[precision] = max(peak, race.peaks.get(precision, 0.0))
        for lane in race.lanes:
            step = partial(forward_and_backward, lane, given)
            if number == 0:
                step()
            else:
                seconds = stopwatch.seconds(partial(_repeat, step, passes), device)
                lane.rates.append(passes * images / seconds)
            lane.contestant.network.zero_grad(set_to_none=True)
            done += 1
            yield done, total


def forward_and_backward(lane: Lane, given: Inputs) -> None:
    """One training step without an optimiser."""
    with autocast(lane.precision, given.z.device):
        out = lane.contestant.call(lane.contestant.network, given)
    lane.contestant.network.zero_grad(set_to_none=True)
    out.float().square().mean().backward()


def autocast(precision: str, device: torch.device) -> AbstractContextManager[None]:
    """As Lightning's precisions of these names."""
    if precision == "bf16-mixed":
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


def count_flops(make: Callable[[], Contestant], given: Inputs) -> int:
    """FLOPs of one image, forward and backward, of the network as it is written: whatever kernels
    compute it, attention is two products, and a doubled picture is convolved after the doubling."""
    one = Inputs(*(tensor[:1].to("meta") for tensor in vars(given).values()))
    with torch.device("meta"):
        contestant = make()
    contestant.network.to("meta")
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        contestant.call(contestant.network, one).square().mean().backward()
    return counter.get_total_flops()


def to_device(contestant: Contestant, device: torch.device) -> Contestant:
    """The same, on the device and in training mode."""
    network: nn.Module = contestant.network.to(device).train()
    return Contestant(network, contestant.call)


def _repeat(step: Callable[[], None], passes: int) -> None:
    for _ in range(passes):
        step()


def table(race: Race) -> Iterator[str]:
    """A line for each lane."""
    rounds = max(len(lane.rates) for lane in race.lanes)
    width = max(len(lane.name) for lane in race.lanes)
    head = f"{'network':{width}}  {'precision':10}  {'parameters':>10}  {'GFLOP/image':>11}"
    yield f"{head}  {'images/s, each round':>{max(20, 7 * rounds)}}  {'GFLOP/s':>9}  {'of peak':>7}"
    for lane in race.lanes:
        rates = " ".join(f"{rate:6.3g}" if rate < 1000 else f"{rate:6.0f}" for rate in lane.rates)
        yield (
            f"{lane.name:{width}}  {lane.precision:10}  {lane.parameters / 1e6:9.1f}M  "
            f"{lane.flops / 1e9:11.1f}  {rates:>{max(20, 7 * rounds)}}  "
            f"{max(lane.rates) * lane.flops / 1e9:9,.0f}  {race.share_of_peak(lane):7.1%}"
        )
    peaks: Mapping[str, float] = race.peaks
    yield "matrix peak: " + ", ".join(
        f"{peak / 1e9:,.0f} GFLOP/s in {precision}" for precision, peak in peaks.items()
    )
