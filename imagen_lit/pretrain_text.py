"""Make the demo's tiny T5, from text alone, without the network."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from omegaconf import DictConfig

from imagen_lit import door
from imagen_lit.text import nano


def pretrain(
    folder: Path,
    documents: int,
    seed: int,
    tell: Callable[[int, float], None],
    width: int = 128,
) -> bool:
    """Write the encoder, unless it is there; whether it was made just now."""
    if (folder / "config.json").is_file():
        return False
    kept = folder.with_name(f"{folder.name}.unfinished")
    for seen, loss, model, pieces in nano.pretrain(seed, documents, width=width, kept=kept):
        tell(seen, loss)
        made = model, pieces
    nano.save(*made, str(folder))
    kept.unlink(missing_ok=True)
    return True


def progress(documents: int) -> Callable[[int, float], None]:
    """A line that says how far it is and how long it will still take."""
    began, first, told = time.monotonic(), -1, 0.0

    def tell(seen: int, loss: float) -> None:
        nonlocal began, first, told
        now, live = time.monotonic(), sys.stderr.isatty()
        if first < 0:  # the time is measured from here on
            began, first = now, seen
        soon = seen == first or now - told < (0.5 if live else 15)
        if seen < documents and soon:
            return
        told, left = now, (now - began) / max(seen - first, 1) * (documents - seen)
        line = f"reading {seen:,}/{documents:,} documents, loss {loss:.3f}, {left:.0f} s left"
        end = "\n" if seen >= documents or not live else ""
        print(f"\r\033[K{line}" if live else line, end=end, file=sys.stderr, flush=True)

    return tell


@door.main("pretrain_text")
def main(cfg: DictConfig) -> None:
    folder = Path(cfg.folder)
    made = pretrain(folder, cfg.documents, cfg.seed, progress(cfg.documents), cfg.width)
    print(f"the encoder {'is' if made else 'was already'} in {folder}")


if __name__ == "__main__":
    main()
