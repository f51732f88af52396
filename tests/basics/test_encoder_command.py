"""The command that makes an encoder writes where `text.path` leads."""

from pathlib import Path

import pytest

from imagen_lit.basics.encoder_command import elsewhere
from imagen_lit.cli import assets, config

OPTIONS = sorted((Path(assets.conf()) / "text").glob("*.yaml"))


@pytest.mark.parametrize("file", OPTIONS, ids=lambda file: file.stem)
def test_an_encoder_is_made_in_the_folder_that_is_asked_for(file: Path) -> None:
    option = config.compose("embed_text", [f"text={file.stem}"]).text
    if "path" not in option:
        return  # an encoder without files
    command, name = option["make_command"], option["name"]
    assert elsewhere(command, name, option["path"]) == command, "its own, where nothing is asked"
    moved = elsewhere(command, name, "encoders/nope")
    assert moved != command and moved.count("encoders/") == 1
    assert any(f"{key}encoders/nope" in moved for key in ("text.path=", "folder=", "--local-dir "))


def test_a_command_that_is_not_known_stays_as_it_is() -> None:
    assert elsewhere("make it", "mine", "elsewhere") == "make it"
    assert elsewhere(None, "mine", "elsewhere") is None
