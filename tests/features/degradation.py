"""Five ways to spoil pictures, each in growing strengths, and the distance that has to grow.

    python tests/features/degradation.py FOLDER [HOW_MANY] [EDGE]

prints the distance of each over EfficientNet-Lite0, for the pictures of a folder; without one, for
crops of the photograph that matplotlib brings.
"""

import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib import cbook
from PIL import Image, ImageEnhance, ImageFilter

from imagen_lit.cli import config
from imagen_lit.features.extractor import Extractor

Pictures = list[np.ndarray]
SUFFIXES = (".png", ".webp", ".jpg", ".jpeg")


def _each(change: Callable[[Image.Image, float], Image.Image]) -> Callable[..., Pictures]:
    def spoil(pictures: Pictures, strength: float) -> Pictures:
        return [np.asarray(change(Image.fromarray(each), strength)) for each in pictures]

    return spoil


def _jpeg(picture: Image.Image, quality: float) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=int(quality))
    return Image.open(file).convert("RGB")


def noise(pictures: Pictures, sigma: float) -> Pictures:
    """Gaussian, in grey levels."""
    generator = np.random.default_rng(0)
    return [
        (each + sigma * generator.standard_normal(each.shape)).round().clip(0, 255).astype(np.uint8)
        for each in pictures
    ]


def dropped_modes(pictures: Pictures, share: float) -> Pictures:
    """As many pictures, but only this share of the different ones: those at one end of the
    direction in which the pictures differ most."""
    small = [Image.fromarray(each).resize((8, 8), Image.Resampling.BOX) for each in pictures]
    points = np.stack([np.asarray(each, np.float64).ravel() for each in small])
    points -= points.mean(0)
    order = np.argsort(points @ np.linalg.svd(points, full_matrices=False)[2][0])
    rest = order[: max(1, round(share * len(pictures)))]
    return [pictures[rest[number % len(rest)]] for number in range(len(pictures))]


DEGRADATIONS: dict[str, tuple[Callable[..., Pictures], tuple[float, ...]]] = {
    "blur, radius": (_each(lambda p, r: p.filter(ImageFilter.GaussianBlur(r))), (1, 2, 4)),
    "JPEG, quality": (_each(_jpeg), (50, 20, 5)),
    "noise, sigma": (noise, (8, 16, 32)),
    "colour, saturation": (_each(lambda p, s: ImageEnhance.Color(p).enhance(s)), (0.6, 0.3, 0)),
    "modes, share": (dropped_modes, (0.8, 0.5, 0.2)),
}


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Between Gaussians of these features [n, width]. The trace of the root of the product of
    covariances is the sum of the singular values of the centred features' product."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    mean = a.mean(0) - b.mean(0)
    a, b = ((x - x.mean(0)) / np.sqrt(len(x) - 1) for x in (a, b))
    spread = (a**2).sum() + (b**2).sum() - 2 * np.linalg.norm(a @ b.T, "nuc")
    return float(mean @ mean + spread)


def distances(extractor: Extractor, pictures: Pictures) -> dict[str, list[float]]:
    """For each degradation, the distance from the pictures as they are, in growing strengths."""
    reference = extractor.features(pictures)
    return {
        name: [
            frechet_distance(reference, extractor.features(spoil(pictures, strength)))
            for strength in strengths
        ]
        for name, (spoil, strengths) in DEGRADATIONS.items()
    }


def crops(count: int, edge: int) -> Pictures:
    """Squares cut out of a photograph, of one to three times this edge, at this edge."""
    with cbook.get_sample_data("grace_hopper.jpg") as file:
        photograph = Image.open(file).convert("RGB")
    generator, squares = np.random.default_rng(0), []
    for _ in range(count):
        side = int(generator.integers(edge, 3 * edge))
        left = int(generator.integers(photograph.width - side))
        top = int(generator.integers(photograph.height - side))
        square = photograph.crop((left, top, left + side, top + side))
        squares.append(np.asarray(square.resize((edge, edge), Image.Resampling.BICUBIC)))
    return squares


def of_folder(folder: Path, count: int, edge: int) -> Pictures:
    """So many pictures, evenly among the sorted names, on white."""
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES)
    pictures = []
    for number in np.linspace(0, len(files) - 1, min(count, len(files))).round().astype(int):
        picture = Image.open(files[number]).convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        square = Image.alpha_composite(white, picture).convert("RGB").resize((edge, edge))
        pictures.append(np.asarray(square))
    return pictures


def main(words: Sequence[str]) -> None:
    count = int(words[1]) if len(words) > 1 else 200
    edge = int(words[2]) if len(words) > 2 else 128
    pictures = of_folder(Path(words[0]), count, edge) if words else crops(count, edge)
    extractor = config.build(config.compose("features/efficientnet_lite0").features)
    print(f"{len(pictures)} pictures of {pictures[0].shape[1]} x {pictures[0].shape[0]} pixels")
    for name, values in distances(extractor, pictures).items():
        cells = zip(DEGRADATIONS[name][1], values, strict=True)
        print(f"{name:20}", "  ".join(f"{strength:>4g}: {value:8.3f}" for strength, value in cells))


if __name__ == "__main__":
    main(sys.argv[1:])
