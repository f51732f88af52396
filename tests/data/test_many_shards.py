"""A run starts without opening every file of its collection, and notices what has changed."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_world import sample

from imagen_lit.data import build, sidecar
from imagen_lit.data.loader import Data
from imagen_lit.data.selection import MIN_ROWS, select
from imagen_lit.data.shard_files import index_cache, index_summary, shard, shard_index
from imagen_lit.data.shard_files.collection import Collection

Make = Callable[..., Path]


def open_data(folder: Path, **options: float) -> Data:
    data = Data(str(folder), "fake", size=16, batch_size=4, **options)
    data.setup()
    return data


def remove_manifest(folder: Path) -> None:
    """As img2dataset leaves it: without a manifest."""
    (index_cache.meta_folder(folder) / "manifest.json").unlink()


def survey(folder: Path) -> None:
    list(build.survey(folder, 1))


@pytest.fixture(params=[remove_manifest, survey], ids=["plain", "surveyed"])
def folder(make: Make, request: pytest.FixtureRequest) -> Path:
    folder = make(9, 4, 7)
    request.param(folder)
    return folder


@pytest.fixture
def forbid_opening(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def forbid() -> None:
        for module in (index_summary, shard):
            monkeypatch.setattr(module, "index", lambda path: pytest.fail(f"{path} was opened"))
        monkeypatch.setattr(sidecar, "Sidecar", lambda path: pytest.fail(f"{path} was opened"))

    return forbid


def test_the_second_start_opens_no_index_and_no_sidecar(
    folder: Path, forbid_opening: Callable[[], None]
) -> None:
    first = open_data(folder, validation=0.3)
    forbid_opening()
    second = open_data(folder, validation=0.3)
    assert second.encoder == first.encoder == {"encoder": "fake"}
    other = open_data(folder, validation=5)  # another selection, and no index for it either
    assert len(other.val_dataloader()[0]) == 2


def test_a_survey_leaves_the_first_selection_nothing_to_open(
    make: Make, forbid_opening: Callable[[], None]
) -> None:
    folder = make(9, 4, 7)
    survey(folder)
    forbid_opening()
    assert select(Collection(folder), None, 3).validation.sum() == 3


def test_the_summary_is_what_the_indexes_say(folder: Path) -> None:
    paths = sorted(folder.glob("*.tar"))
    for _ in range(2):  # gathered, and read
        indexes = [shard_index.index(path) for path in paths]
        assert index_summary.columns(paths, ["counts"])["counts"].tolist() == [9, 4, 7]
        hashes = [number for index in indexes for number in index.hashes.tolist()]
        assert index_summary.columns(paths, ["hashes"])["hashes"].tolist() == hashes


def test_a_changed_shard_or_sidecar_is_noticed_at_the_next_start(make: Make) -> None:
    folder = make(9, 4, 7)
    remove_manifest(folder)
    open_data(folder)
    text = sidecar.default_folder(folder, "fake")
    before = (text / "00001.safetensors").read_bytes()
    (text / "00001.safetensors").write_bytes((text / "00002.safetensors").read_bytes())
    with pytest.raises(ValueError, match=r"00001\.safetensors holds the text of other samples"):
        open_data(folder)
    (text / "00001.safetensors").write_bytes(before)
    open_data(folder)
    shard.write(folder / "00002.tar", [sample(n) for n in range(50, 57)])
    with pytest.raises(ValueError, match=r"00002\.safetensors holds the text of other samples"):
        open_data(folder)
    (text / "00002.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"00002\.safetensors are missing"):
        open_data(folder)


def test_a_shard_replaced_by_one_of_the_same_size_is_noticed(make: Make) -> None:
    folder = make(3, 3)
    survey(folder)
    open_data(folder)
    path = folder / "00001.tar"
    size, two = path.stat().st_size, [sample(3), sample(4)]
    shard.write(path, two)
    filler = bytes(size - path.stat().st_size)
    path.write_bytes(path.read_bytes() + filler)  # a tar may end with more zeros than it needs
    with pytest.raises(ValueError, match=r"00001\.tar holds 2 samples where the manifest says 3"):
        open_data(folder)


@pytest.mark.parametrize(
    ("sizes", "fraction", "count"),
    [((9, 4, 20), 0.0001, MIN_ROWS), ((5,), 0.002, 2), ((2,), 0.002, 1), ((9, 4, 20), 0, 0)],
)
def test_a_fraction_of_a_small_collection_holds_back_four_or_half(
    make: Make, sizes: tuple[int, ...], fraction: float, count: int
) -> None:
    selection = select(Collection(make(*sizes)), None, fraction)
    assert selection.validation.sum() == count
    assert selection.training.sum() == sum(sizes) - count


def test_a_folder_can_be_named_by_a_dot(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make(5, 5)
    open_data(folder)
    monkeypatch.chdir(folder)
    assert len(Collection(".").paths) == 2
    assert index_cache.meta_folder(Path(".")) == index_cache.meta_folder(folder.resolve())
    monkeypatch.chdir("/")
    with pytest.raises(ValueError, match="its index would have to lie beside it"):
        index_cache.meta_folder(Path("."))
