"""What a config may name is defined by us, or by the few others that are named; what we or they
have only imported is refused, under whatever address."""

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from imagen_lit.basics.errors import InputError
from imagen_lit.cli import assets, config, target

HOSTILE = [
    "imagen_lit.run.checkpoint.torch.load",
    "imagen_lit.cli.command.sys.exit",
    "imagen_lit.run.run_folder.checkpoint.torch.load",  # through a module of ours
    "imagen_lit.cli.config.inspect.os.system",
    "imagen_lit.cli.config.Path",  # a class, but not ours
    "imagen_lit.cascade.redraw.partial",
    "imagen_lit.cascade.redraw.Cascade",  # ours, but not from there
    "imagen_lit.stage.training.LightningModule",
    "imagen_lit.network.unet.UNet.load_state_dict",  # which torch defines
    "imagen_lit.cascade.cascade.Cascade.load",  # no function, a method
    "imagen_lit.cascade.recipe_form.RECIPE",
    "imagen_lit.basics.atomic.write_text",  # ours, but it writes where it is told to
    "imagen_lit.cli.config.compose",
    "imagen_lit.cascade.redraw",
    "torch.optim.lr_scheduler.warnings.warn",
    "torch.optim.optimizer.torch.load",
    "lightning.pytorch.trainer.trainer.os.system",
    "lightning.LightningModule.load_state_dict",
    "transformers.modeling_utils.os.system",
    "transformers.modeling_utils.torch.load",
    "transformers.BertModel.load_state_dict",
    "transformers.BertModel.__init__.__globals__",
    "torch.load",
    "imagen_lit",
    "builtins.eval",
]


def targets() -> list[str]:
    """Every one in conf/ that `build` builds; Hydra builds its own launcher."""
    found: set[str] = set()

    def look(node: Any) -> None:
        for key, value in node.items() if isinstance(node, dict) else ():
            if key == "_target_":
                found.add(value)
            look(value)
        for value in node if isinstance(node, list) else ():
            look(value)

    for file in Path(assets.conf()).rglob("*.yaml"):
        look(OmegaConf.to_container(OmegaConf.load(file)))
    return sorted(name for name in found if not name.startswith("hydra_plugins."))


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_only_imported_is_refused(name: str) -> None:
    for node in ({"_target_": name}, {"a": {"_target_": name, "_partial_": True}}):
        with pytest.raises(InputError, match=r"which a config may not build.*Choose "):
            config.build(OmegaConf.create(node))


@pytest.mark.parametrize("name", targets())
def test_what_conf_names_is_allowed(name: str) -> None:
    assert callable(target.find(name, "a.b"))


def test_a_target_that_is_no_text_is_refused() -> None:
    for strange in (3, None, ["imagen_lit.run"], {"a": 1}):
        with pytest.raises(InputError, match="which a config may not build"):
            config.check({"_target_": strange})
