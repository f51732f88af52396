"""The energy that a piece of work took, where the machine measures it: NVIDIA's GPUs through their
driver's library, Intel's and AMD's processors through the kernel's counters. What others did on the
same chips at that time is in it.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

NVML = "libnvidia-ml.so.1"
POWERCAP = Path("/sys/class/powercap")
JOULES = 3.6e6  # of a kWh


class EnergyMeter:
    """From its making on."""

    def __init__(self, counters: Path = POWERCAP) -> None:
        self._processors = counters
        self._before = self._read()

    def kwh(self) -> float | None:
        """None where no part of this machine measures its energy."""
        now = self._read()
        joules = [
            (now[name][0] - start) % wrap if wrap else now[name][0] - start
            for name, (start, wrap) in self._before.items()
            if name in now
        ]
        return round(sum(joules) / JOULES, 9) if joules else None

    def _read(self) -> dict[str, tuple[float, float]]:
        """Joules by counter, and at how many it begins anew (0: never)."""
        return dict([*_processors(self._processors), *_gpus()])


def _processors(folder: Path) -> Iterator[tuple[str, tuple[float, float]]]:
    # intel-rapl:0 is a whole processor, intel-rapl:0:1 a part of it.
    for zone in sorted(folder.glob("intel-rapl:*")):
        if zone.name.count(":") == 1:
            with suppress(OSError, ValueError):
                joules = int((zone / "energy_uj").read_text()) / 1e6
                wrap = int((zone / "max_energy_range_uj").read_text()) / 1e6
                yield zone.name, (joules, wrap)


def _gpus() -> Iterator[tuple[str, tuple[float, float]]]:
    try:
        nvml = ctypes.CDLL(NVML)
    except OSError:
        return
    if nvml.nvmlInit_v2():
        return
    try:
        count = ctypes.c_uint()
        nvml.nvmlDeviceGetCount_v2(ctypes.byref(count))
        for number in _visible(count.value):
            handle, millijoules = ctypes.c_void_p(), ctypes.c_ulonglong()
            refused = nvml.nvmlDeviceGetHandleByIndex_v2(number, ctypes.byref(handle))
            if not refused and not nvml.nvmlDeviceGetTotalEnergyConsumption(
                handle, ctypes.byref(millijoules)
            ):
                yield f"gpu {number}", (millijoules.value / 1e3, 0)
    finally:
        nvml.nvmlShutdown()


def _visible(count: int) -> list[int]:
    """The GPUs that this process may use, as numbers of the machine; all where that is unknown."""
    words = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    if not all(word.strip().isdecimal() for word in words):
        return list(range(count))
    return [int(word) for word in words if int(word) < count]
