"""The precision of the demo: bf16 if this machine multiplies it clearly faster, by measurement;
decided once per demo."""

import torch

from imagen_lit.basics import device, hardware
from imagen_lit.run.time_budget import TimeBudget


def precision(chosen_device: str, budget: TimeBudget) -> str:
    """The one in the budget's record; measured, printed and recorded if there is none."""
    if "precision" not in budget.record:
        dtypes, place = (torch.float32, torch.bfloat16), device.choose(chosen_device)
        rounds = [  # in turn, so that a busy moment meets both
            {dtype: hardware.matrix_peak(dtype, place, seconds=0.4) for dtype in dtypes}
            for _ in range(4)
        ]
        peaks = {dtype: max(each[dtype] for each in rounds) for dtype in dtypes}
        gain = peaks[torch.bfloat16] / peaks[torch.float32]
        budget.record["precision"] = "bf16-mixed" if gain > 1.3 else "32-true"
        budget.write()
        decision = budget.record["precision"]
        print(f"\n   bf16 products are {gain:.2g} times as fast as float32: {decision}")
    return str(budget.record["precision"])
