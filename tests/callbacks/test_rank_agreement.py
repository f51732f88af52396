"""What one rank knows, all ranks know at their next call, and none before."""

from pathlib import Path

import torch
import torch.distributed as dist

from imagen_lit.callbacks.rank_agreement import RankAgreement


def run_rank(rank: int, folder: str) -> None:
    """One of two ranks; the second is told to stop before its third call, and then is not."""
    dist.init_process_group("gloo", f"file://{folder}/meet", rank=rank, world_size=2)
    agreement = RankAgreement()
    agreement.open(2)
    answers = [agreement(False, rank == 1 and call == 3) for call in range(1, 7)]
    agreement.close()
    expected = [(False, call == 4) for call in range(1, 7)]
    Path(folder, f"agreed{rank}" if answers == expected else f"{answers}").touch()
    dist.barrier()
    dist.destroy_process_group()


def test_two_ranks_learn_at_the_same_call_what_one_of_them_knows(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(run_rank, (str(tmp_path),), nprocs=2)
    files = {file.name for file in tmp_path.iterdir()} - {"meet"}
    assert files == {"agreed0", "agreed1"}


def test_a_single_process_gets_back_what_it_says_at_once() -> None:
    agreement = RankAgreement()
    agreement.open(1)
    assert agreement(False, True) == (False, True)
    assert agreement(True, False) == (True, False)
