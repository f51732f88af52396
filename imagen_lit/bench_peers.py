"""Measure our U-Net beside those of imagen-pytorch and diffusers: the same image, text, channels
and blocks, forward and backward, in turns.

What is not installed is left out, and named.
"""

import datetime
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from omegaconf import DictConfig, ListConfig

from imagen_lit.basics import arguments, device, hardware, json_file, progress_line
from imagen_lit.basics.atomic import write_json
from imagen_lit.basics.errors import InputError
from imagen_lit.cli import command
from imagen_lit.measurement import network_race, peer_networks
from imagen_lit.measurement.network_race import PRECISIONS, Lane, Race
from imagen_lit.measurement.peer_networks import PEERS, Contestant, Shape
from imagen_lit.stage import compilation

INSTALL = "pip install -c constraints.txt -e '.[peers]'"
GROUPS = 32  # of the peers' norms, which have to divide the channels


def lanes(shape: Shape, cfg: DictConfig, where: torch.device) -> tuple[list[Lane], list[str]]:
    """Each network in each precision, with its FLOPs counted; and a note on each that is left out.

    A network serves all its precisions, but a compiled one is another."""
    given, notes = peer_networks.inputs(shape, torch.device("cpu")), list[str]()
    makers: dict[str, Callable[[Shape], Contestant]] = {"ours": peer_networks.ours, **PEERS}
    racing: list[Lane] = []
    for name, make in makers.items():
        try:
            torch.manual_seed(0)
            flops = network_race.count_flops(partial(make, shape), given)
        except ImportError as error:
            notes.append(f"{name} is left out: {error}. To install it: {INSTALL}")
            continue
        except Exception as error:  # another project's, on whichever version is here
            if name == "ours":
                raise
            notes.append(f"{name} is left out, it fails here: {_first_line(error)}")
            continue
        contestant = network_race.to_device(make(shape), where)
        racing += [Lane(name, contestant, each, flops) for each in cfg.precision]
        if name == "ours" and cfg.compile is not None:
            compiled = network_race.to_device(make(shape), where)
            compilation.compile_blocks(compiled.network, cfg.compile)
            words = f"ours, {cfg.compile}"
            racing += [Lane(words, compiled, each, flops) for each in cfg.precision]
    return racing, notes


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def check(cfg: DictConfig) -> Shape:
    """The shape; numbers and precisions that cannot be are refused."""
    arguments.whole_numbers(cfg, batch=1, size=8, channels=GROUPS, blocks=1, text_width=64)
    arguments.whole_numbers(cfg, tokens=1, rounds=1, passes=1)
    if cfg.channels % GROUPS or cfg.size % 8 or cfg.text_width % peer_networks.HEAD_WIDTH:
        raise InputError(
            f"channels={cfg.channels}, size={cfg.size} and text_width={cfg.text_width} have to be "
            f"multiples of {GROUPS}, 8 and {peer_networks.HEAD_WIDTH}. Set channels=96 size=64 "
            "text_width=768, for example."
        )
    chosen = cfg.precision
    if not isinstance(chosen, ListConfig) or not chosen or {*chosen} - PRECISIONS.keys():
        raise InputError(
            f"precision={chosen} is not a list of {', '.join(PRECISIONS)}. "
            "Set precision=[32-true], for example."
        )
    backends = torch.compiler.list_backends(exclude_tags=()) if cfg.compile is not None else []
    if cfg.compile is not None and cfg.compile not in backends:
        raise InputError(
            f"compile={cfg.compile} is not a compiler. Allowed are null and {', '.join(backends)}. "
            "Set compile=inductor, for example."
        )
    names = ("batch", "size", "channels", "blocks", "text_width", "tokens")
    return Shape(**{name: cfg[name] for name in names})


def _plain(race: Race, cfg: DictConfig, where: torch.device, notes: list[str]) -> dict[str, Any]:
    rows = [
        {
            "network": lane.name,
            "precision": lane.precision,
            "parameters": lane.parameters,
            "flops_per_image": lane.flops,
            "images_per_second": lane.rates,
            "share_of_peak": race.share_of_peak(lane),
        }
        for lane in race.lanes
    ]
    names = ("batch", "size", "channels", "blocks", "text_width", "tokens", "passes")
    return {
        "shape": {name: cfg[name] for name in names},
        "device": hardware.name(where),
        "threads": torch.get_num_threads(),
        "matrix_peak": race.peaks,
        "networks": rows,
        "notes": notes,
        "versions": hardware.versions(),
        "measured_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


@command.main("bench_peers")
def main(cfg: DictConfig) -> None:
    """Print one table, and write it as JSON if asked to."""
    shape, where = check(cfg), device.choose(cfg.device)
    file = json_file.writable("json", cfg.json)
    racing, notes = lanes(shape, cfg, where)
    race = Race(racing, {})
    given = peer_networks.inputs(shape, where)
    progress_line.count("passes", network_race.run(race, given, cfg.rounds, cfg.passes))
    widths = ", ".join(map(str, shape.widths))
    print(
        f"{hardware.name(where)}: batch {shape.batch} at {shape.size}x{shape.size}, channels "
        f"{widths}, {shape.blocks} blocks a level,"
    )
    print(f"text of {shape.tokens} x {shape.text_width}; forward and backward, in turns")
    print("\n".join([*network_race.table(race), *notes]))
    if file is not None:
        write_json(file, _plain(race, cfg, where, notes))


if __name__ == "__main__":
    main()
