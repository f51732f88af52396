"""Make the demo's tiny T5, from text alone, without the network."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path

from omegaconf import DictConfig

from imagen_lit import door
from imagen_lit.data.aside import aside
from imagen_lit.pace import Counter
from imagen_lit.text import nano, role

LOUD = 0.02  # a share of roles, below which a picture network hardly hears them
SETTINGS = "reading.json"  # beside the encoder: what it has read


def pretrain(
    folder: Path,
    documents: int,
    seed: int,
    tell: Callable[[int, float], None],
    width: int = 128,
) -> bool:
    """Write the encoder, unless it is there; whether it was made just now. One that has read
    something else is refused."""
    settings = {"documents": documents, "seed": seed, "width": width}
    if (folder / "config.json").is_file():
        _refuse_another(folder, settings)
        return False
    kept = folder.with_name(f"{folder.name}.unfinished")
    for seen, loss, model, pieces in nano.pretrain(seed, documents, width=width, kept=kept):
        tell(seen, loss)
        made = model, pieces
    nano.save(*made, str(folder))
    with aside(folder / SETTINGS) as file:
        file.write(json.dumps(settings, indent=2).encode())
    kept.unlink(missing_ok=True)
    return True


def _refuse_another(folder: Path, settings: dict[str, int]) -> None:
    """Raise if the encoder there was made in another way, as far as it is written down."""
    theirs = {"width": json.loads((folder / "config.json").read_text()).get("d_model")}
    if (folder / SETTINGS).is_file():
        theirs = json.loads((folder / SETTINGS).read_text())
    else:
        warnings.warn(
            f"{folder} does not say what its encoder has read: it is taken as it is; remove the "
            "folder to have it made anew",
            stacklevel=3,
        )
    differing = [key for key, value in theirs.items() if value != settings.get(key)]
    if differing:
        said = "; ".join(
            f"{key} is {theirs[key]} there, {settings.get(key)} now" for key in differing
        )
        typed = " ".join(f"{key}={theirs[key]}" for key in differing)
        raise ValueError(
            f"the encoder in {folder} was made in another way ({said}): type {typed} to take it, "
            "or remove the folder to have it made anew"
        )


def is_ours(made_by: str | None) -> bool:
    """Whether an encoder is one of those that are made here, and no model from elsewhere."""
    return made_by is not None and "imagen_lit.pretrain_text" in made_by


def require_unread(name: str, documents: int) -> None:
    """Refuse to let the control read, which is there for having read nothing."""
    if name.endswith("random") and documents:
        raise ValueError(
            f"text={name} is the encoder that has read nothing, found documents={documents}: type "
            "documents=0"
        )


def progress(documents: int) -> Callable[[int, float], None]:
    """A line that says how far it is and how long it will still take."""
    count = Counter("documents read")
    return lambda seen, loss: count(seen, documents, f", loss {loss:.3f}")


def loudness(cfg: DictConfig, folder: Path) -> str:
    """How loudly the encoder says who is where, in words."""
    found = role.share(door.build({**cfg.text, "path": str(folder), "width": cfg.width}))
    said = f"{found:.1%} of what its colour words say is where their things stand"
    quiet = f", and below {LOUD:.0%} a picture network hardly hears it: remove {folder}, then try "
    quiet += "more documents=... or another seed=..."
    return said + (quiet if cfg.documents and found < LOUD else "")


@door.main("pretrain_text")
def main(cfg: DictConfig) -> None:
    door.whole(cfg, documents=0, seed=0, width=8)
    if not is_ours(cfg.text.made_by):
        raise ValueError(
            f"text={cfg.text.name} is no encoder that is made here: type {cfg.text.made_by}, or "
            "text=t5_nano for the demo's own"
        )
    require_unread(cfg.text.name, cfg.documents)
    folder = Path(cfg.folder)
    made = pretrain(folder, cfg.documents, cfg.seed, progress(cfg.documents), cfg.width)
    print(f"the encoder {'is' if made else 'was already'} in {folder}; {loudness(cfg, folder)}")


if __name__ == "__main__":
    main()
