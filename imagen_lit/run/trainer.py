"""The trainer of a run, built from its config; in a SLURM job it must match the job's size."""

from typing import Any

import torch
from lightning import Trainer
from omegaconf import DictConfig, open_dict

from imagen_lit.basics import arguments, device
from imagen_lit.basics.errors import InputError
from imagen_lit.cli import config
from imagen_lit.run import slurm

GPU = ("gpu", "cuda")  # any accelerator, in Lightning's words
HALF = ("16", "16-mixed", "16-true")  # float16, in Lightning's words
ENVIRONMENT = "lightning.pytorch.plugins.environments.SLURMEnvironment"


def device_count(cfg: DictConfig) -> int:
    """On how many devices of all nodes a run is."""
    devices, nodes = cfg.trainer.get("devices", 1), cfg.trainer.get("num_nodes", 1)
    per_node = devices if isinstance(devices, int) else max(1, torch.accelerator.device_count())
    return max(1, per_node * (nodes if isinstance(nodes, int) else 1))


def wants_accelerator(cfg: DictConfig) -> bool:
    """Whether a config is for one, be it here or not."""
    name = cfg.trainer.accelerator
    return name in GPU or device.choose(name).type != "cpu"


def training_device(cfg: DictConfig) -> torch.device:
    """The device of a config: `trainer.accelerator`, which is ${device} or gpu, any but the CPU."""
    name = cfg.trainer.accelerator
    if name not in GPU:
        return device.choose(name)
    chosen = device.choose(cfg.device)
    if chosen.type == "cpu":
        raise InputError(no_accelerator(name, cfg.device))
    return chosen


def no_accelerator(name: str, chosen: str = "auto") -> str:
    """The refusal of a trainer that needs one, where torch finds none, or the CPU is chosen."""
    place = "" if chosen == "auto" else f" with device={chosen}"
    why = "torch finds none here" if chosen == "auto" else "that is none"
    return (
        f"trainer.accelerator={name}{place}, but {why}. Use a machine that has one, with "
        "device=auto, or set trainer=laptop scale=demo for what a laptop can do."
    )


def build_trainer(cfg: DictConfig, **changes: Any) -> Trainer:
    """Build it, with these changes. Lightning's own requeueing is switched off:
    callbacks.preemption does that."""
    node, chosen = cfg.trainer.copy(), training_device(cfg)
    device.allow_tf32(cfg.tf32)
    for name in ("val_check_interval", "log_every_n_steps"):
        if name in node:
            arguments.whole_number(f"trainer.{name}", node[name], 1)
    if str(node.get("precision")) in HALF:
        raise InputError(
            f"trainer.precision={node.precision} loses gradients that are too small for float16, "
            "and has to scale the loss, which is not done here. "
            "Set trainer.precision=bf16-mixed, or 32-true."
        )
    if node.get("gradient_clip_val") is not None:
        arguments.number("trainer.gradient_clip_val", node.gradient_clip_val, 0)
    changes |= {"accelerator": chosen.type}
    if chosen.index is not None and node.devices == 1:
        changes |= {"devices": [chosen.index]}
    if slurm.in_job():
        if type(node.devices) is int:  # Lightning refuses it too, but does not say what to type
            slurm.check_world_size(node.devices * node.get("num_nodes", 1))
        environment = {"_target_": ENVIRONMENT, "auto_requeue": False}
        changes |= {"plugins": [*(node.get("plugins") or []), environment]}
    with open_dict(node):
        node.update(changes)
    trainer: Trainer = config.build(node)
    if slurm.in_job():
        slurm.check_world_size(trainer.world_size)
    return trainer
