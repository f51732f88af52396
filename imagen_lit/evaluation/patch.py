"""What one patch of foreign colour is: analysis by synthesis of a single demo object.

Every shape of the vocabulary is rendered at the patch's own resolution and moved, scaled and
tinted until it explains as much of the patch as it can. The shape that leaves least unexplained
names the patch, unless even that leaves too much.
"""

import numpy as np

from imagen_lit.data.demo_scene import COLOURS, INK, SHAPES, SIZE_BORDER, coverage

MISFIT = 0.10  # share of a patch's energy that its best shape may leave unexplained
OFF_COLOUR = 0.22  # farthest distance from the palette, in RGB of range one

NAMES = list(COLOURS)
PALETTE = np.array([*COLOURS.values(), INK], dtype=np.float32) / 255


def identify(
    signal: np.ndarray, ground: np.ndarray, core: np.ndarray, zone: np.ndarray, noise: float
) -> dict:
    """Name one patch: the shape that explains most of its zone, and the colour it then has.

    The zone is the core and the rim where it fades into the ground. Outside the frame there is
    ground too, so that no shape is fitted to the part of itself that a frame would leave.
    """
    rows, columns = np.nonzero(zone)
    edge = int(max(np.ptp(rows), np.ptp(columns))) + 3  # a square window is itself a small picture
    top, left = rows.min() - 1, columns.min() - 1
    seen, inner = (cut(part, top, left, edge) for part in (signal * zone[:, :, None], core))
    ours = cut(zone, top, left, edge) | ~cut(np.ones_like(zone), top, left, edge)
    fits = [fit_shape(shape, seen, ours, inner) for shape in SHAPES]
    shape: str | None
    rest, shape, place, tint = min(fits, key=lambda fit: fit[0])
    misfit = (rest - 3 * noise * zone.sum()) / float((seen**2).sum())
    if misfit >= MISFIT:  # no template to trust: let the core itself say its colour
        shape, tint = None, np.median(signal[core], axis=0)
    distance = np.linalg.norm(PALETTE - tint - ground[core].mean(0), axis=1)
    colour = int(distance.argmin())
    known = distance[colour] < OFF_COLOUR and colour < len(NAMES)
    x, y, extent = (float(p) / len(zone) for p in place * edge + (left, top, 0))
    return {
        "colour": NAMES[colour] if known else None,
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
    shape: str, seen: np.ndarray, zone: np.ndarray, core: np.ndarray
) -> tuple[float, str, np.ndarray, np.ndarray]:
    """Least squares over place (x, y, extent) and tint: damped Gauss-Newton, the tint solved for.

    Answers what remains unexplained, the shape, its place in the window and its tint.
    """
    edge, energy = len(seen), float((seen**2).sum())

    def explain(place: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        canvas = np.zeros((edge, edge), dtype=np.float32)
        rows, columns, share = coverage(shape, place[:2], place[2], edge, fineness=32)
        canvas[rows, columns] = share
        canvas *= zone
        flat = canvas.ravel()
        tint = flat @ seen.reshape(-1, 3) / max(float(flat @ flat), 1e-6)
        rest = energy - float((flat @ flat) * (tint @ tint))
        return rest, canvas, tint

    rows, columns = np.nonzero(core)
    low = np.array([columns.min(), rows.min()])
    high = np.array([columns.max(), rows.max()]) + 1
    place = np.array([*(low + high) / 2, ((high - low) / SHAPES[shape]).mean()]) / edge
    rest, canvas, tint = explain(place)
    step, reach = 0.25 / edge, 1.0
    for _ in range(6):
        slopes = [(explain(place + step * way)[1] - canvas).ravel() / step for way in np.eye(3)]
        error = (seen @ tint / max(float(tint @ tint), 1e-6) - canvas).ravel()
        basis = np.stack(slopes)
        move = np.linalg.solve(basis @ basis.T + 1e-3 * np.eye(3), basis @ error)
        move = reach * np.clip(move, -0.2 * place[2], 0.2 * place[2])
        there = explain(place + move)
        if there[0] >= rest:
            reach /= 3
            continue
        settled = there[0] > 0.98 * rest or there[0] < 0.002 * energy
        place, (rest, canvas, tint) = place + move, there
        if settled:
            break
    return rest, shape, place, tint
