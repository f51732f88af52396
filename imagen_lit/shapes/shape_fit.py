"""What a patch of pixels unlike the ground shows: analysis by synthesis of a single object.

Every shape of the vocabulary is rendered at the patch's own resolution and moved, scaled and
tinted until it explains as much of the patch as it can. The shape with the smallest residual names
the patch, unless even that residual is too large.
"""

from collections.abc import Iterable

import numpy as np

from imagen_lit.shapes.scene import COLOURS, INK, OUTLINES, SHAPES, SIZE_BORDER, coverage

MAX_MISFIT = 0.10  # share of a patch's energy that its best shape may leave unexplained
MAX_COLOUR_DISTANCE = 0.22  # from the palette, in RGB of range one

NAMES = list(COLOURS)
PALETTE = np.array([*COLOURS.values(), INK], dtype=np.float32) / 255


def identify(
    signal: np.ndarray,
    ground: np.ndarray,
    core: np.ndarray,
    zone: np.ndarray,
    noise: float,
    shapes: Iterable[str] = SHAPES,
) -> dict:
    """Name one patch: the shape, of these, that explains most of its zone, and the colour it then
    has.

    The zone is the core and the rim where it fades into the ground. Outside the frame there is
    ground too, so that no shape is fitted as if the frame had cut it off.
    """
    rows, columns = np.nonzero(zone)
    edge = int(max(np.ptp(rows), np.ptp(columns))) + 3  # a square window is itself a small image
    top, left = rows.min() - 1, columns.min() - 1
    target, window_core = (cut(part, top, left, edge) for part in (signal * zone[:, :, None], core))
    domain = cut(zone, top, left, edge) | ~cut(np.ones_like(zone), top, left, edge)
    fits = [fit_shape(shape, target, domain, window_core) for shape in shapes]
    shape: str | None
    residual, shape, pose, tint = min(fits, key=lambda fit: fit[0])
    misfit = (residual - 3 * noise * zone.sum()) / float((target**2).sum())
    if misfit >= MAX_MISFIT:  # no shape fits: take the colour of the core itself
        shape, tint = None, np.median(signal[core], axis=0)
    distance = np.linalg.norm(PALETTE - tint - ground[core].mean(0), axis=1)
    colour = int(distance.argmin())
    has_name = distance[colour] < MAX_COLOUR_DISTANCE and colour < len(NAMES)
    x, y, extent = (float(p) / len(zone) for p in pose * edge + (left, top, 0))
    return {
        "colour": NAMES[colour] if has_name else None,
        "shape": shape,
        "size": "small" if extent * 16 < SIZE_BORDER else "large",
        "centre": [round(x, 4), round(y, 4)],
        "extent": round(extent, 4),
        "misfit": round(max(0.0, float(misfit)), 4),
    }


def cut(part: np.ndarray, top: int, left: int, edge: int) -> np.ndarray:
    """A square window of an array, zero where it reaches beyond."""
    window = np.zeros((edge, edge, *part.shape[2:]), dtype=part.dtype)
    inside = part[max(top, 0) : top + edge, max(left, 0) : left + edge]
    down, right = max(-top, 0), max(-left, 0)
    window[down : down + inside.shape[0], right : right + inside.shape[1]] = inside
    return window


def fit_shape(
    shape: str, target: np.ndarray, zone: np.ndarray, core: np.ndarray
) -> tuple[float, str, np.ndarray, np.ndarray]:
    """Least squares over pose (x, y, extent) and tint: damped Gauss-Newton over the pose, with the
    best tint for each pose in closed form.

    Returns the residual energy, the shape, its pose in the window and its tint.
    """
    edge, energy = len(target), float((target**2).sum())

    def explain(pose: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        canvas = np.zeros((edge, edge), dtype=np.float32)
        rows, columns, share = coverage(shape, pose[:2], pose[2], edge, fineness=32)
        canvas[rows, columns] = share
        canvas *= zone
        flat = canvas.ravel()
        tint = flat @ target.reshape(-1, 3) / max(float(flat @ flat), 1e-6)
        residual = energy - float((flat @ flat) * (tint @ tint))
        return residual, canvas, tint

    rows, columns = np.nonzero(core)
    low = np.array([columns.min(), rows.min()])
    high = np.array([columns.max(), rows.max()]) + 1
    pose = np.array([*(low + high) / 2, ((high - low) / OUTLINES[shape]).mean()]) / edge
    residual, canvas, tint = explain(pose)
    step, damping = 0.25 / edge, 1.0
    for _ in range(6):
        slopes = [(explain(pose + step * axis)[1] - canvas).ravel() / step for axis in np.eye(3)]
        error = (target @ tint / max(float(tint @ tint), 1e-6) - canvas).ravel()
        basis = np.stack(slopes)
        move = np.linalg.solve(basis @ basis.T + 1e-3 * np.eye(3), basis @ error)
        move = damping * np.clip(move, -0.2 * pose[2], 0.2 * pose[2])
        trial = explain(pose + move)
        if trial[0] >= residual:
            damping /= 3
            continue
        has_converged = trial[0] > 0.98 * residual or trial[0] < 0.002 * energy
        pose, (residual, canvas, tint) = pose + move, trial
        if has_converged:
            break
    return residual, shape, pose, tint
