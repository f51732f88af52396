"""The laws of the data that a run sees."""

import multiprocessing
from collections import Counter
from collections.abc import Callable
from itertools import chain, islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from job_signals import positions_after_signals
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from tiny_world import WIDTH, embedding, jpeg, sample

from imagen_lit.basics import pixels
from imagen_lit.data import reader, transform
from imagen_lit.data.loader import Data
from imagen_lit.data.shard_files import shard

Make = Callable[..., Path]


@pytest.fixture(scope="module")
def folder(make: Make) -> Path:
    return make(9, 4, 13, 7)


def open_data(folder: Path, rank: int = 0, world: int = 1, **options: Any) -> Data:
    defaults = {"size": 16, "batch_size": 12, "seed": 3, "validation": 0.2, "window": 2}
    data = Data(str(folder), "fake", **(defaults | options))
    data.trainer = SimpleNamespace(global_rank=rank, world_size=world)
    return data


def stream(data: Data, batches: int) -> list[dict[str, Any]]:
    return [reader.pad_text(batch) for batch in islice(data.train_dataloader(), batches)]


def validation_batches(data: Data) -> list[dict[str, Any]]:
    return [reader.pad_text(batch) for batch in data.val_dataloader()[0]]


def images(batches: list[dict[str, Any]]) -> dict[int, tuple]:
    """The sample at each position, without the padding that depends on the batch."""
    return {
        int(position): (key, caption, image.numpy().tobytes(), text[mask].numpy().tobytes())
        for batch in batches
        for position, key, caption, image, text, mask in zip(
            batch["position"],
            batch["key"],
            batch["caption"],
            batch["image"],
            batch["text"],
            batch["mask"],
            strict=True,
        )
    }


def test_a_batch_has_the_documented_keys_shapes_and_contents(folder: Path) -> None:
    batch = open_data(folder).on_after_batch_transfer(
        next(iter(open_data(folder).train_dataloader())), 0
    )
    assert set(batch) == {"image", "text", "mask", "caption", "key", "position"}
    assert batch["image"].shape == (12, 3, 16, 16) and batch["image"].dtype == torch.float32
    assert batch["image"].min() >= -1 and batch["image"].max() <= 1
    assert batch["text"].shape == (12, batch["mask"].shape[1], WIDTH)
    assert batch["text"].dtype == torch.float32 and batch["mask"].dtype == torch.bool
    assert torch.equal(batch["position"], torch.arange(12))
    for n, key in enumerate(batch["key"]):
        expected = sample(int(key))
        assert batch["caption"][n] == expected["caption"]
        assert torch.equal(batch["text"][n][batch["mask"][n]], embedding(expected["caption"]))
        assert not batch["text"][n][~batch["mask"][n]].any()
        whole = transform.resize(transform.decode(expected["image"], 16), 16)
        assert torch.equal(batch["image"][n], pixels.to_signed(whole))


@pytest.mark.parametrize(
    ("world", "workers"), [(1, 1), (1, 2), (2, 0), (2, 2), (3, 1), (4, 0), (12, 0)]
)
def test_the_stream_depends_neither_on_ranks_nor_on_workers(
    folder: Path, world: int, workers: int
) -> None:
    expected = images(stream(open_data(folder, crop=10, horizontal_flip=True), 8))
    union = {}
    for rank in range(world):
        data = open_data(folder, rank, world, workers=workers, crop=10, horizontal_flip=True)
        part = images(stream(data, 8))
        assert len(part) == 8 * 12 // world and not union.keys() & part.keys()
        union |= part
    assert union == expected


@pytest.mark.parametrize("workers", [0, 2])
def test_the_stream_opened_at_n_is_the_stream_without_its_first_n(
    folder: Path, workers: int
) -> None:
    whole = images(stream(open_data(folder, crop=10), 12))
    for n in (12, 60, 7):
        data = open_data(folder, crop=10, workers=workers)
        data.start_at(n)
        later = images(stream(data, 3))
        assert later == {position: whole[position] for position in range(n, n + 36)}


def test_a_pass_has_each_training_sample_once_and_no_validation_one(folder: Path) -> None:
    data = open_data(folder, batch_size=1)
    validation = {key for batch in data.val_dataloader()[0] for key in batch["key"]}
    every = {sample(n)["key"] for n in range(33)}
    assert 0 < len(validation) < 20
    training = every - validation
    keys = [batch["key"][0] for batch in stream(data, 3 * len(training))]
    for turn in range(3):
        one_pass = keys[turn * len(training) : (turn + 1) * len(training)]
        assert Counter(one_pass) == Counter(training)


def test_a_second_iterator_continues_where_the_last_one_was(folder: Path) -> None:
    loader = open_data(folder, workers=1).train_dataloader()
    positions = [batch["position"].tolist() for _ in range(3) for batch in islice(loader, 2)]
    assert list(chain(*positions)) == list(range(72))


def test_reading_draws_nothing_from_the_global_random_numbers(folder: Path) -> None:
    before = torch.get_rng_state()
    data = open_data(folder, workers=1, crop=8)
    stream(data, 2), list(data.val_dataloader()[0])
    assert torch.equal(torch.get_rng_state(), before)


class TestCropAndFlip:
    def test_a_crop_is_a_part_of_the_resized_image_and_differs_by_position(
        self, folder: Path
    ) -> None:
        data = open_data(folder, size=16, crop=12, validation=0, batch_size=33)
        crops = images(stream(data, 4)).values()
        whole = {
            key: transform.resize(transform.decode(jpeg(int(key)), 16), 16) for key, *_ in crops
        }
        places = Counter()
        for key, _, image, _ in crops:
            crop = torch.frombuffer(bytearray(image), dtype=torch.float32).view(3, 12, 12)
            places[
                next(
                    (top, left)
                    for top in range(5)
                    for left in range(5)
                    if torch.equal(
                        pixels.to_signed(transform.crop(whole[key], 12, top, left)), crop
                    )
                )
            ] += 1
        assert len(places) > 15  # of 25; 132 crops were taken

    def test_half_of_the_images_are_flipped_and_only_if_the_config_says_so(
        self, folder: Path
    ) -> None:
        plain = stream(open_data(folder), 20)
        mixed = stream(open_data(folder, horizontal_flip=True), 20)
        flips = 0
        for a, b in zip(plain, mixed, strict=True):
            for x, y in zip(a["image"], b["image"], strict=True):
                assert torch.equal(x, y) or torch.equal(x.flip(-1), y)
                flips += int(not torch.equal(x, y))
        assert 80 < flips < 160  # of 240, with a standard deviation of 7.7

    def test_a_crop_larger_than_the_image_is_an_error(self, folder: Path) -> None:
        with pytest.raises(ValueError, match=r"crop=20 is larger than data\.size=16"):
            open_data(folder, crop=20)


class TestValidation:
    def keys(self, data: Data) -> list[str]:
        return [key for batch in data.val_dataloader()[0] for key in batch["key"]]

    def test_it_is_finite_fixed_and_the_same_for_every_seed(self, folder: Path) -> None:
        data = open_data(folder, crop=8)
        first = images(validation_batches(data))
        assert images(validation_batches(data)) == first
        assert images(validation_batches(open_data(folder, crop=8, seed=9))) == first
        assert sorted(first) == list(range(len(first)))

    def test_a_whole_number_holds_back_that_many(self, folder: Path) -> None:
        keys = self.keys(open_data(folder, validation=5))
        assert len(keys) == len(set(keys)) == 5

    def test_it_depends_on_keys_and_not_on_their_place_in_shards(
        self, folder: Path, make: Make
    ) -> None:
        other = make(33)
        assert set(self.keys(open_data(folder))) == set(self.keys(open_data(other)))

    @pytest.mark.parametrize("world", [1, 2, 3, 4])
    def test_ranks_get_as_many_batches_of_the_same_sizes(self, folder: Path, world: int) -> None:
        parts = [
            list(open_data(folder, rank, world, validation=19).val_dataloader()[0])
            for rank in range(world)
        ]
        sizes = [[len(batch["key"]) for batch in part] for part in parts]
        assert all(size == sizes[0] for size in sizes)
        counts = Counter(int(p) for part in parts for batch in part for p in batch["position"])
        assert set(counts) == set(range(19))
        assert sum(counts.values()) - 19 < world

    def test_no_validation_is_allowed_and_no_training_is_an_error(self, folder: Path) -> None:
        assert open_data(folder, validation=0).val_dataloader() == []
        with pytest.raises(ValueError, match="validation=33 is neither"):
            open_data(folder, validation=33).setup()


class TestUnusableImages:
    BAD: tuple[int, ...] = (4, 11, 30)

    @pytest.fixture
    def bad_folder(self, make: Make) -> Path:
        """Cut, EPS under another name, and too small."""
        images = (jpeg(4)[:-300], b"%!PS-Adobe-3.0 EPSF-3.0\n", jpeg(30, 8))
        changes = {n: {"image": i} for n, i in zip(self.BAD, images, strict=True)}
        return make(9, 4, 13, 7, changes=changes)

    def test_they_are_replaced_alike_everywhere_and_counted(
        self, bad_folder: Path, folder: Path
    ) -> None:
        options = {"validation": 0, "batch_size": 33, "max_bad_fraction": 0.5}
        data = open_data(bad_folder, **options)
        whole = images(stream(data, 2))
        assert data.tally.counts == (66, 6 + self.extra_attempts(whole, folder))
        for rank in range(3):
            part = open_data(bad_folder, rank, 3, workers=2, **options)
            assert images(stream(part, 2)).items() <= whole.items()

    def extra_attempts(self, whole: dict[int, tuple], folder: Path) -> int:
        """A substitute may itself be unusable; then the next is drawn. Check the rest meanwhile."""
        clean = images(stream(open_data(folder, validation=0, batch_size=33), 2))
        bad = {sample(n)["key"] for n in self.BAD}
        positions = [p for p in clean if clean[p][0] in bad]
        assert len(positions) == 6
        assert {p: v for p, v in whole.items() if p not in positions} == {
            p: v for p, v in clean.items() if p not in positions
        }
        assert all(whole[p][0] not in bad for p in positions)
        assert all(whole[p] in clean.values() for p in positions)
        return self.attempts(positions) - len(positions)

    def attempts(self, positions: list[int]) -> int:
        """How many substitutes were drawn, counted by drawing them again."""
        ends = [9, 13, 26, 33]
        total = 0
        for position in positions:
            for attempt in range(reader.ATTEMPTS):
                total += 1
                draw = reader.draw(3, reader.SUBSTITUTE, position, 1, attempt).item() % ends[-1]
                if draw not in self.BAD:
                    break
        return total

    def test_too_many_are_an_error_that_names_one(self, bad_folder: Path) -> None:
        for workers in (0, 1):
            data = open_data(
                bad_folder, validation=0, max_bad_fraction=0.0015, batch_size=33, workers=workers
            )
            with pytest.raises(
                ValueError, match=r"tar holds '0000\d\d', but it .* data.max_bad_fraction="
            ):
                stream(data, 4)

    def test_the_name_that_the_user_knows_is_named_too(self, tmp_path: Path) -> None:
        samples = [sample(0, metadata={"path": "cats/a b.jpg"}), sample(1)]
        shard.write(tmp_path / "own/00000.tar", [*samples, sample(2, metadata={"url": "x/y"})])
        opened = shard.Shard(tmp_path / "own/00000.tar")
        titles = [opened.title(row) for row in range(3)]
        assert titles == ["'000000' (cats/a b.jpg)", "'000001'", "'000002' (x/y)"]

    def test_the_fraction_is_of_usable_images_too(self) -> None:
        tally = reader.Tally(0.01)
        for _ in range(10):
            tally.count_image()
            tally.count_replacement("it is broken")
        with pytest.raises(ValueError, match=r"11 of 21 images could not be used"):
            tally.count_replacement("it is broken")

    def test_the_first_replacement_is_logged(
        self, bad_folder: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        stream(open_data(bad_folder, validation=0, batch_size=33), 1)
        assert "another sample took its place (1 so far)" in caplog.text


class TestDecodedCache:
    @pytest.mark.parametrize("workers", [0, 2])
    def test_a_second_pass_decodes_nothing_and_yields_the_same(
        self, folder: Path, workers: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plain = images(stream(open_data(folder, batch_size=33, validation=0), 4))
        data = open_data(folder, batch_size=33, validation=0, decoded_cache_mib=1, workers=workers)
        first = images(stream(data, 2))  # with workers, the main process knows only their memory
        monkeypatch.setattr(transform, "decode", lambda *_: pytest.fail("decoded again"))
        data.start_at(66)
        assert first | images(stream(data, 2)) == plain

    def test_what_does_not_fit_is_decoded_each_time(self, folder: Path) -> None:
        plain = images(stream(open_data(folder, batch_size=33, validation=0), 3))
        data = open_data(folder, batch_size=33, validation=0, decoded_cache_mib=10 * 769 / 2**20)
        assert images(stream(data, 3)) == plain
        assert data._cache.slots == 10
        assert [data._cache.get(n) is not None for n in range(33)] == [True] * 10 + [False] * 23

    def test_crops_are_not_cached(self, folder: Path) -> None:
        plain = images(stream(open_data(folder, crop=8), 6))
        data = open_data(folder, crop=8, decoded_cache_mib=1)
        assert images(stream(data, 6)) == plain
        assert data._cache is None


def test_signals_to_the_whole_job_do_not_end_the_workers(folder: Path) -> None:
    loader = open_data(folder, workers=2).train_dataloader()
    assert positions_after_signals(loader, 10) == list(range(24, 144))


def test_the_main_process_ends_a_worker_by_a_signal(folder: Path) -> None:
    before = set(multiprocessing.active_children())
    batches = iter(open_data(folder, workers=1).train_dataloader())
    next(batches)
    (worker,) = set(multiprocessing.active_children()) - before
    worker.terminate()
    worker.join(timeout=60)
    assert worker.exitcode == 0


class Clock(LightningModule):
    """Counts images, as a stage does, and records the positions of its batches."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.register_buffer("images_seen", torch.tensor(0))
        self.positions: list[int] = []
        self.validation_positions: list[int] = []

    def training_step(self, batch: dict[str, Any], _: int) -> torch.Tensor:
        self.positions += batch["position"].tolist()
        self.images_seen += len(batch["position"])
        return self.weight**2

    def validation_step(self, batch: dict[str, Any], _: int) -> None:
        self.validation_positions += batch["position"].tolist()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.filterwarnings("ignore:Checkpoint directory", "error:.*not resumable")
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    "how",
    [
        {"val_check_interval": 4, "check_val_every_n_epoch": None},
        {"limit_val_batches": 0},
        {"limit_train_batches": 5},  # an "epoch" of five batches: the stream must continue after it
    ],
    ids=["validated", "plain", "epochs"],
)
def test_a_run_resumed_from_one_integer_sees_what_an_unbroken_one_sees(
    folder: Path, tmp_path: Path, workers: int, how: dict[str, Any]
) -> None:
    def run(steps: int, checkpoint: Path | None = None) -> Clock:
        model, data = Clock(), open_data(folder, workers=workers)
        if checkpoint is not None:
            state = torch.load(checkpoint, weights_only=True)["state_dict"]
            data.start_at(int(state["images_seen"]))
        trainer = Trainer(
            max_steps=steps,
            accelerator="cpu",
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=tmp_path,
            callbacks=[ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=3, save_top_k=-1)],
            num_sanity_val_steps=0,
            **how,
        )
        trainer.fit(model, data, ckpt_path=checkpoint)
        return model

    unbroken = run(13)
    assert unbroken.positions == list(range(13 * 12))
    for step in (3, 6):
        resumed = run(13, tmp_path / f"step={step}.ckpt")
        assert resumed.positions == list(range(step * 12, 13 * 12))
        assert int(resumed.images_seen) == 13 * 12
