"""A page on this machine where one draws, watches, compares and paints.

Every image lies in a folder with what drew it in its own file, as those of `sample`; the page is
for the one person who has the printed link.
"""

import secrets
from importlib.util import find_spec

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from imagen_lit.basics import arguments, chosen_folder, device
from imagen_lit.basics.errors import InputError
from imagen_lit.cli import command, config

PACKAGES = "starlette", "uvicorn"
HOST = "127.0.0.1"
OWN = ("folder", "port")  # settings that decide no image


@command.main("studio")
def main(cfg: DictConfig) -> None:
    """Load the cascade, print the link, and answer until Ctrl-C."""
    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        raise InputError(
            f"studio needs {' and '.join(missing)}. Type pip install 'imagen-lit[studio]'."
        )
    from imagen_lit.rating import server
    from imagen_lit.workbench import web_app
    from imagen_lit.workbench.desk import Desk

    arguments.whole_numbers(cfg, port=0)
    arguments.path("runs", cfg.runs)
    folder = chosen_folder.of("folder", cfg.folder)
    chosen_folder.require_writable("folder", cfg.folder, folder)
    listener = server.bind(HOST, cfg.port)
    device.allow_tf32(cfg.tf32)
    config.build(cfg.cascade).require_runs()  # the first thing that a new user lacks
    typed = HydraConfig.get().overrides.task if HydraConfig.initialized() else []
    typed = [word for word in typed if word.partition("=")[0] not in OWN]
    node = OmegaConf.to_container(cfg.cascade, resolve=True)
    assert isinstance(node, dict)
    print("loading the stages and the text encoder", flush=True)
    desk = Desk(
        {str(key): value for key, value in node.items()}, config.build(cfg.text), folder, typed
    )
    token = secrets.token_urlsafe(16)
    print(f"draw here: http://{HOST}:{listener.getsockname()[1]}/{token}/")
    print(f"images go to {folder}; Ctrl-C ends the page, and they stay", flush=True)
    server.serve(web_app.build(desk, token), listener)


if __name__ == "__main__":
    main()
