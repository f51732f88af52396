"""Pretrain a small CLIP on a folder of shards, for retrieval and for CLIP scores.

To continue after a stop, type the same again. What it learnt is measured on images that are held
back from it: how often such an image finds its own caption among others.
"""

from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf

from imagen_lit.basics import arguments, chosen_folder, pixels
from imagen_lit.basics.device import choose
from imagen_lit.basics.encoder_folder import EncoderFolder
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.progress_line import Counter
from imagen_lit.basics.settings_diff import flatten
from imagen_lit.basics.short_form import quantity
from imagen_lit.cli import command, config
from imagen_lit.contrastive import encoder_files, image_tower, pretraining, recall_record, retrieval
from imagen_lit.contrastive import tokenizer as tokens
from imagen_lit.contrastive.small_clip import SmallClip
from imagen_lit.contrastive.two_towers import Shape
from imagen_lit.data.captioned_images import CaptionedImages

COMMAND = "python -m imagen_lit.pretrain_clip"
AMONG, JUDGED = 64, 1024  # captions that an image chooses from; held-back images, at most
ELSEWHERE = ("workers", "decoded_cache_mib", "max_bad_fraction", "seed", "_target_")  # of `data`


def settings(cfg: DictConfig) -> dict[str, Any]:
    """What decides the encoder: the settings that a person types, less where and how fast."""
    plain: Any = OmegaConf.to_container(cfg, resolve=True)
    data = {name: value for name, value in plain["data"].items() if name not in ELSEWHERE}
    data["filter"].pop("_target_")
    names = ("images", "seed", "width", "channels", "layers", "vocabulary", "max_length", "lr")
    return flatten({**{name: plain[name] for name in names}, "data": data})


def pretrain(cfg: DictConfig, data: CaptionedImages) -> bool:
    """Write the encoder unless it exists; return whether it is new. One that was pretrained with
    other settings is refused, finished or not, and so is a second process."""
    names = ("width", "channels", "layers", "max_length")
    in_config = {name: name for name in names} | {"data.size": "size"}
    folder = chosen_folder.of("folder", cfg.folder)
    place = EncoderFolder(folder, settings(cfg), COMMAND, in_config)
    if place.is_finished():
        return False
    place.refuse_other_place()
    with place.exclusive():
        if place.is_finished():  # by now
            return False
        require_held_back(data)
        shape = Shape(
            *(cfg.data.size, cfg.channels, cfg.width, cfg.layers, cfg.vocabulary, cfg.max_length)
        )
        schedule = pretraining.Schedule(cfg.images, cfg.lr, cfg.seed)
        device, progress = choose(cfg.device), Counter("images seen")
        for now in pretraining.pretrain(
            data, shape, schedule, device, place.settings, place.unfinished
        ):
            progress(now.images_seen, now.images, f"loss {now.loss:.3f}")
        encoder_files.save(now.model, now.tokenizer, folder)
        place.finish()
    return True


def require_numbers(cfg: DictConfig) -> None:
    """Refuse, before any work, sizes that no towers have."""
    arguments.whole_numbers(cfg, images=1, seed=0, width=1, channels=1, layers=1, max_length=3)
    arguments.whole_number("vocabulary", cfg.vocabulary, tokens.SMALLEST)
    arguments.positive_number("lr", cfg.lr)
    arguments.whole_number("data.batch_size", cfg.data.batch_size, 2)
    image_tower.require_size("data.size", cfg.data.size)


def require_held_back(data: CaptionedImages) -> None:
    """Refuse a pretraining of which nothing would tell whether it learnt."""
    count = int(data.held_back()[1].validation.sum())
    if count < 2:
        raise InputError(
            f"data.validation={data.validation} holds back {quantity(count, 'image')}, and what "
            "the encoder learns is measured on two or more. Set data.validation=64, for example."
        )


def recall(clip: SmallClip, data: CaptionedImages) -> str:
    """How often held-back images find their own captions, in words; also recorded, for those who
    let the encoder judge."""
    images: list[np.ndarray] = []
    captions: list[str] = []
    for batch in data.val_dataloader()[0]:
        images += list(pixels.to_array(batch["image"]))
        captions += batch["caption"]
        if len(images) >= JUDGED:
            break
    among = min(AMONG, len(images))
    features = clip.features(images), clip.text_features(captions)
    share = retrieval.recall_at_1(*features, captions, among)
    recall_record.write(clip.path, share, among)
    text = (
        f"{share:.1%} of {len(images) // among * among:,} images that were held back find their "
        f"own caption among {among}; by chance it would be {1 / among:.1%}"
    )
    if recall_record.is_hardly_any(share, among):
        text += f". It hardly learnt: remove {clip.path}, then raise images=... or lower lr=..."
    return text


@command.main("pretrain_clip")
def main(cfg: DictConfig) -> None:
    """Make the encoder, and print how well it finds captions."""
    require_numbers(cfg)
    data = config.build(cfg.data)
    is_new = pretrain(cfg, data)
    clip = config.build({**cfg.contrastive, "path": str(cfg.folder), "device": cfg.device})
    verb = "is" if is_new else "was already"
    print(f"the encoder {verb} in {cfg.folder}; {recall(clip, data)}")


if __name__ == "__main__":
    main()
