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

from imagen_lit.data import reader, transform
from imagen_lit.data.loader import Data

Make = Callable[..., Path]


@pytest.fixture(scope="module")
def folder(make: Make) -> Path:
    return make(9, 4, 13, 7)


def opened(folder: Path, rank: int = 0, world: int = 1, **options: Any) -> Data:
    known = {"size": 16, "batch_size": 12, "seed": 3, "validation": 0.2, "window": 2}
    data = Data(str(folder), "fake", **(known | options))
    data.trainer = SimpleNamespace(global_rank=rank, world_size=world)
    return data


def stream(data: Data, batches: int) -> list[dict[str, Any]]:
    return [reader.padded(batch) for batch in islice(data.train_dataloader(), batches)]


def held(data: Data) -> list[dict[str, Any]]:
    return [reader.padded(batch) for batch in data.val_dataloader()[0]]


def pictures(batches: list[dict[str, Any]]) -> dict[int, tuple]:
    """What was seen at each position, without the padding that depends on the batch."""
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


def test_a_batch_is_what_the_house_agreed_on(folder: Path) -> None:
    batch = opened(folder).on_after_batch_transfer(next(iter(opened(folder).train_dataloader())), 0)
    assert set(batch) == {"image", "text", "mask", "caption", "key", "position"}
    assert batch["image"].shape == (12, 3, 16, 16) and batch["image"].dtype == torch.float32
    assert batch["image"].min() >= -1 and batch["image"].max() <= 1
    assert batch["text"].shape == (12, batch["mask"].shape[1], WIDTH)
    assert batch["text"].dtype == torch.float32 and batch["mask"].dtype == torch.bool
    assert torch.equal(batch["position"], torch.arange(12))
    for n, key in enumerate(batch["key"]):
        known = sample(int(key))
        assert batch["caption"][n] == known["caption"]
        assert torch.equal(batch["text"][n][batch["mask"][n]], embedding(known["caption"]))
        assert not batch["text"][n][~batch["mask"][n]].any()
        whole = transform.resize(transform.decode(known["image"], 16), 16)
        assert torch.equal(batch["image"][n], transform.signed(whole))


@pytest.mark.parametrize(
    ("world", "workers"), [(1, 1), (1, 2), (2, 0), (2, 2), (3, 1), (4, 0), (12, 0)]
)
def test_the_stream_depends_neither_on_ranks_nor_on_workers(
    folder: Path, world: int, workers: int
) -> None:
    expected = pictures(stream(opened(folder, crop=10, mirror=True), 8))
    found = {}
    for rank in range(world):
        data = opened(folder, rank, world, workers=workers, crop=10, mirror=True)
        part = pictures(stream(data, 8))
        assert len(part) == 8 * 12 // world and not found.keys() & part.keys()
        found |= part
    assert found == expected


@pytest.mark.parametrize("workers", [0, 2])
def test_the_stream_opened_at_n_is_the_stream_without_its_first_n(
    folder: Path, workers: int
) -> None:
    whole = pictures(stream(opened(folder, crop=10), 12))
    for n in (12, 60, 7):
        data = opened(folder, crop=10, workers=workers)
        data.start_at(n)
        later = pictures(stream(data, 3))
        assert later == {position: whole[position] for position in range(n, n + 36)}


def test_no_sample_comes_twice_in_a_pass_and_none_that_is_held_back(folder: Path) -> None:
    data = opened(folder, batch_size=1)
    held = {key for batch in data.val_dataloader()[0] for key in batch["key"]}
    every = {sample(n)["key"] for n in range(33)}
    assert 0 < len(held) < 20
    for_training = every - held
    seen = [batch["key"][0] for batch in stream(data, 3 * len(for_training))]
    for turn in range(3):
        once = seen[turn * len(for_training) : (turn + 1) * len(for_training)]
        assert Counter(once) == Counter(for_training)


def test_an_iterator_opened_again_goes_on_where_the_last_one_was(folder: Path) -> None:
    loader = opened(folder, workers=1).train_dataloader()
    positions = [batch["position"].tolist() for _ in range(3) for batch in islice(loader, 2)]
    assert list(chain(*positions)) == list(range(72))


def test_reading_takes_nothing_from_the_global_random_numbers(folder: Path) -> None:
    before = torch.get_rng_state()
    data = opened(folder, workers=1, crop=8)
    stream(data, 2), list(data.val_dataloader()[0])
    assert torch.equal(torch.get_rng_state(), before)


class TestCropAndMirror:
    def test_a_crop_is_a_part_of_the_resized_picture_and_differs_by_position(
        self, folder: Path
    ) -> None:
        found = pictures(stream(opened(folder, size=16, crop=12, validation=0, batch_size=33), 4))
        whole = {
            key: transform.resize(transform.decode(jpeg(int(key)), 16), 16)
            for key, *_ in found.values()
        }
        places = Counter()
        for key, _, image, _ in found.values():
            crop = torch.frombuffer(bytearray(image), dtype=torch.float32).view(3, 12, 12)
            places[
                next(
                    (top, left)
                    for top in range(5)
                    for left in range(5)
                    if torch.equal(
                        transform.signed(transform.crop(whole[key], 12, top, left)), crop
                    )
                )
            ] += 1
        assert len(places) > 15  # of 25; 132 crops were taken

    def test_pictures_are_mirrored_only_when_asked_and_then_half_of_them(
        self, folder: Path
    ) -> None:
        plain = stream(opened(folder), 20)
        again = stream(opened(folder, mirror=True), 20)
        turned = 0
        for a, b in zip(plain, again, strict=True):
            for x, y in zip(a["image"], b["image"], strict=True):
                assert torch.equal(x, y) or torch.equal(x.flip(-1), y)
                turned += int(not torch.equal(x, y))
        assert 80 < turned < 160  # of 240, with a standard deviation of 7.7

    def test_a_crop_larger_than_the_picture_is_an_error(self, folder: Path) -> None:
        with pytest.raises(ValueError, match="crop=20 does not fit into pictures of size=16"):
            opened(folder, crop=20)


class TestValidation:
    def keys(self, data: Data) -> list[str]:
        return [key for batch in data.val_dataloader()[0] for key in batch["key"]]

    def test_it_is_finite_fixed_and_the_same_for_every_seed(self, folder: Path) -> None:
        data = opened(folder, crop=8)
        first = pictures(held(data))
        assert pictures(held(data)) == first
        assert pictures(held(opened(folder, crop=8, seed=9))) == first
        assert sorted(first) == list(range(len(first)))

    def test_a_whole_number_holds_back_that_many(self, folder: Path) -> None:
        keys = self.keys(opened(folder, validation=5))
        assert len(keys) == len(set(keys)) == 5

    def test_it_depends_on_keys_and_not_on_how_they_lie_in_shards(
        self, folder: Path, make: Make
    ) -> None:
        other = make(33)
        assert set(self.keys(opened(folder))) == set(self.keys(opened(other)))

    @pytest.mark.parametrize("world", [1, 2, 3, 4])
    def test_ranks_get_as_many_batches_of_the_same_sizes(self, folder: Path, world: int) -> None:
        parts = [
            list(opened(folder, rank, world, validation=19).val_dataloader()[0])
            for rank in range(world)
        ]
        sizes = [[len(batch["key"]) for batch in part] for part in parts]
        assert all(size == sizes[0] for size in sizes)
        seen = Counter(int(p) for part in parts for batch in part for p in batch["position"])
        assert set(seen) == set(range(19))
        assert sum(seen.values()) - 19 < world

    def test_none_is_possible_but_none_left_to_train_on_is_an_error(self, folder: Path) -> None:
        assert opened(folder, validation=0).val_dataloader() == []
        with pytest.raises(ValueError, match="validation=33 must be"):
            opened(folder, validation=33).setup()


class TestUnusablePictures:
    BAD: tuple[int, ...] = (4, 11, 30)

    @pytest.fixture
    def spoiled(self, make: Make) -> Path:
        """Cut, EPS under another name, and too small."""
        images = (jpeg(4)[:-300], b"%!PS-Adobe-3.0 EPSF-3.0\n", jpeg(30, 8))
        changes = {n: {"image": i} for n, i in zip(self.BAD, images, strict=True)}
        return make(9, 4, 13, 7, changes=changes)

    def test_they_are_replaced_alike_everywhere_and_counted(
        self, spoiled: Path, folder: Path
    ) -> None:
        options = {"validation": 0, "batch_size": 33, "tolerate": 0.5}
        data = opened(spoiled, **options)
        found = pictures(stream(data, 2))
        assert (data.tally.seen, data.tally.replaced) == (66, 6 + self.again(found, folder))
        for rank in range(3):
            part = opened(spoiled, rank, 3, workers=2, **options)
            assert pictures(stream(part, 2)).items() <= found.items()

    def again(self, found: dict[int, tuple], folder: Path) -> int:
        """A substitute may itself be unusable; then the next is drawn. Check the rest meanwhile."""
        clean = pictures(stream(opened(folder, validation=0, batch_size=33), 2))
        bad = {sample(n)["key"] for n in self.BAD}
        replaced = [p for p in clean if clean[p][0] in bad]
        assert len(replaced) == 6
        assert {p: v for p, v in found.items() if p not in replaced} == {
            p: v for p, v in clean.items() if p not in replaced
        }
        assert all(found[p][0] not in bad for p in replaced)
        assert all(found[p] in clean.values() for p in replaced)
        return self.attempts(replaced) - len(replaced)

    def attempts(self, replaced: list[int]) -> int:
        """How many substitutes were drawn, found out by drawing them anew."""
        ends = [9, 13, 26, 33]
        total = 0
        for position in replaced:
            for attempt in range(reader.ATTEMPTS):
                total += 1
                draw = reader.draw(3, reader.SUBSTITUTE, position, 1, attempt).item() % ends[-1]
                if draw not in self.BAD:
                    break
        return total

    def test_too_many_are_an_error_that_names_one(self, spoiled: Path) -> None:
        for workers in (0, 1):
            data = opened(spoiled, validation=0, tolerate=0.0015, batch_size=33, workers=workers)
            with pytest.raises(ValueError, match=r"tar holds '0000\d\d', but it .* data.tolerate="):
                stream(data, 4)

    def test_the_pictures_that_could_be_used_are_counted_too(self) -> None:
        tally = reader.Tally(0.01)
        for _ in range(10):
            tally.see()
            tally.replace("it is broken")
        with pytest.raises(ValueError, match=r"11 pictures of 21 could not be used"):
            tally.replace("it is broken")

    def test_a_first_one_is_told(self, spoiled: Path, caplog: pytest.LogCaptureFixture) -> None:
        stream(opened(spoiled, validation=0, batch_size=33), 1)
        assert "another sample took its place (1 so far)" in caplog.text


class TestKeptPictures:
    @pytest.mark.parametrize("workers", [0, 2])
    def test_a_second_pass_decodes_nothing_and_shows_the_same(
        self, folder: Path, workers: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plain = pictures(stream(opened(folder, batch_size=33, validation=0), 4))
        data = opened(folder, batch_size=33, validation=0, keep_mib=1, workers=workers)
        first = pictures(stream(data, 2))  # with workers, the main process knows only their memory
        monkeypatch.setattr(transform, "decode", lambda *_: pytest.fail("decoded again"))
        data.start_at(66)
        assert first | pictures(stream(data, 2)) == plain

    def test_what_does_not_fit_is_decoded_each_time(self, folder: Path) -> None:
        plain = pictures(stream(opened(folder, batch_size=33, validation=0), 3))
        data = opened(folder, batch_size=33, validation=0, keep_mib=10 * 769 / 2**20)
        assert pictures(stream(data, 3)) == plain
        assert data._kept.places == 10
        assert [data._kept.get(n) is not None for n in range(33)] == [True] * 10 + [False] * 23

    def test_crops_are_not_kept(self, folder: Path) -> None:
        plain = pictures(stream(opened(folder, crop=8), 6))
        asked = opened(folder, crop=8, keep_mib=1)
        assert pictures(stream(asked, 6)) == plain
        assert asked._kept is None


def test_signals_to_the_whole_job_do_not_end_the_workers(folder: Path) -> None:
    loader = opened(folder, workers=2).train_dataloader()
    assert positions_after_signals(loader, 10) == list(range(24, 144))


def test_the_main_process_ends_a_worker_by_a_signal(folder: Path) -> None:
    before = set(multiprocessing.active_children())
    batches = iter(opened(folder, workers=1).train_dataloader())
    next(batches)
    (worker,) = set(multiprocessing.active_children()) - before
    worker.terminate()
    worker.join(timeout=60)
    assert worker.exitcode == 0


class Clock(LightningModule):
    """Counts images, as a stage does, and writes down what it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.register_buffer("images_seen", torch.tensor(0))
        self.shown: list[int] = []
        self.validated: list[int] = []

    def training_step(self, batch: dict[str, Any], _: int) -> torch.Tensor:
        self.shown += batch["position"].tolist()
        self.images_seen += len(batch["position"])
        return self.weight**2

    def validation_step(self, batch: dict[str, Any], _: int) -> None:
        self.validated += batch["position"].tolist()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.filterwarnings("ignore:Checkpoint directory", "error:.*not resumable")
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    "how",
    [
        {"val_check_interval": 4, "check_val_every_n_epoch": None},
        {"limit_val_batches": 0},
        {"limit_train_batches": 5},  # an "epoch" of five batches: the stream must go on after it
    ],
    ids=["validated", "plain", "epochs"],
)
def test_a_run_resumed_from_one_integer_sees_what_an_unbroken_one_sees(
    folder: Path, tmp_path: Path, workers: int, how: dict[str, Any]
) -> None:
    def run(steps: int, checkpoint: Path | None = None) -> Clock:
        model, data = Clock(), opened(folder, workers=workers)
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
    assert unbroken.shown == list(range(13 * 12))
    for step in (3, 6):
        resumed = run(13, tmp_path / f"step={step}.ckpt")
        assert resumed.shown == list(range(step * 12, 13 * 12))
        assert int(resumed.images_seen) == 13 * 12
