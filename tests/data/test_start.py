"""A run starts without opening every file of its collection, and notices what has changed."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_world import sample

from imagen_lit.data import build, shard, sidecar, summary
from imagen_lit.data.collection import Collection
from imagen_lit.data.loader import Data
from imagen_lit.data.selection import FEW, select

Make = Callable[..., Path]


def opened(folder: Path, **options: float) -> Data:
    data = Data(str(folder), "fake", size=16, batch_size=4, **options)
    data.setup()
    return data


def plain(folder: Path) -> None:
    """Such as img2dataset leaves it: without a manifest."""
    (shard.meta(folder) / "manifest.json").unlink()


def surveyed(folder: Path) -> None:
    list(build.survey(folder, 1))


@pytest.fixture(params=[plain, surveyed], ids=["plain", "surveyed"])
def folder(make: Make, request: pytest.FixtureRequest) -> Path:
    folder = make(9, 4, 7)
    request.param(folder)
    return folder


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def close() -> None:
        for module in (summary, shard):
            monkeypatch.setattr(module, "index", lambda path: pytest.fail(f"{path} was opened"))
        monkeypatch.setattr(sidecar, "Sidecar", lambda path: pytest.fail(f"{path} was opened"))

    return close


def test_the_second_start_opens_no_index_and_no_sidecar(
    folder: Path, closed: Callable[[], None]
) -> None:
    first = opened(folder, validation=0.3)
    closed()
    again = opened(folder, validation=0.3)
    assert again.encoder == first.encoder == {"encoder": "fake"}
    other = opened(folder, validation=5)  # another choice, and no index for it either
    assert len(other.val_dataloader()[0]) == 2


def test_a_survey_leaves_the_first_choice_nothing_to_open(
    make: Make, closed: Callable[[], None]
) -> None:
    folder = make(9, 4, 7)
    surveyed(folder)
    closed()
    assert select(Collection(folder), None, 3).held.sum() == 3


def test_the_summary_is_what_the_indexes_say(folder: Path) -> None:
    paths = sorted(folder.glob("*.tar"))
    for _ in range(2):  # gathered, and read
        indexes = [shard.index(path) for path in paths]
        assert summary.columns(paths, ["counts"])["counts"].tolist() == [9, 4, 7]
        hashes = [number for index in indexes for number in index.hashes.tolist()]
        assert summary.columns(paths, ["hashes"])["hashes"].tolist() == hashes


def test_a_shard_or_a_sidecar_that_changed_is_noticed_at_the_next_start(make: Make) -> None:
    folder = make(9, 4, 7)
    plain(folder)
    opened(folder)
    text = sidecar.folder(folder, "fake")
    before = (text / "00001.safetensors").read_bytes()
    (text / "00001.safetensors").write_bytes((text / "00002.safetensors").read_bytes())
    with pytest.raises(ValueError, match=r"00001\.safetensors holds the text of other samples"):
        opened(folder)
    (text / "00001.safetensors").write_bytes(before)
    opened(folder)
    shard.write(folder / "00002.tar", [sample(n) for n in range(50, 57)])
    with pytest.raises(ValueError, match=r"00002\.safetensors holds the text of other samples"):
        opened(folder)
    (text / "00002.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"00002\.safetensors are missing"):
        opened(folder)


def test_a_shard_replaced_by_one_of_the_same_size_is_noticed(make: Make) -> None:
    folder = make(3, 3)
    surveyed(folder)
    opened(folder)
    path = folder / "00001.tar"
    size, two = path.stat().st_size, [sample(3), sample(4)]
    shard.write(path, two)
    filler = bytes(size - path.stat().st_size)
    path.write_bytes(path.read_bytes() + filler)  # a tar may end with more zeros than it needs
    with pytest.raises(ValueError, match=r"00001\.tar holds 2 samples where the manifest says 3"):
        opened(folder)


@pytest.mark.parametrize(
    ("sizes", "share", "held"),
    [((9, 4, 20), 0.0001, FEW), ((5,), 0.002, 2), ((2,), 0.002, 1), ((9, 4, 20), 0, 0)],
)
def test_a_share_of_a_small_collection_holds_back_four_or_half_of_fewer(
    make: Make, sizes: tuple[int, ...], share: float, held: int
) -> None:
    found = select(Collection(make(*sizes)), None, share)
    assert found.held.sum() == held and found.training.sum() == sum(sizes) - held


def test_a_folder_can_be_named_by_a_dot(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make(5, 5)
    opened(folder)
    monkeypatch.chdir(folder)
    assert len(Collection(".").paths) == 2
    assert shard.meta(Path(".")) == shard.meta(folder.resolve())
    monkeypatch.chdir("/")
    with pytest.raises(ValueError, match="nothing can lie beside it"):
        shard.meta(Path("."))
