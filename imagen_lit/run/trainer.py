"""The trainer of a run, built from its config; in a SLURM job it must match the job's size."""

from lightning import Trainer
from omegaconf import DictConfig, open_dict

from imagen_lit.basics import arguments
from imagen_lit.cli import config
from imagen_lit.run import slurm

ENVIRONMENT = "lightning.pytorch.plugins.environments.SLURMEnvironment"


def build_trainer(node: DictConfig) -> Trainer:
    """Build it. Lightning's own requeueing is switched off: callbacks.preemption does that."""
    for name in ("val_check_interval", "log_every_n_steps"):
        if name in node:
            arguments.whole_number(f"trainer.{name}", node[name], 1)
    if node.get("gradient_clip_val") is not None:
        arguments.number("trainer.gradient_clip_val", node.gradient_clip_val, 0)
    if not slurm.in_job():
        return config.build(node)
    if type(node.devices) is int:  # Lightning refuses it too, but does not say what to type
        slurm.check_world_size(node.devices * node.get("num_nodes", 1))
    with open_dict(node):
        environment = {"_target_": ENVIRONMENT, "auto_requeue": False}
        node.plugins = [*(node.get("plugins") or []), environment]
    trainer: Trainer = config.build(node)
    slurm.check_world_size(trainer.world_size)
    return trainer
