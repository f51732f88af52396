"""What one rank knows, all ranks know at their next call, and none before."""

from pathlib import Path

from two_ranks import both_pass

from imagen_lit.callbacks.rank_agreement import RankAgreement


def check_answers(rank: int) -> None:
    """One of two ranks; the second is told to stop before its third call, and then is not."""
    agreement = RankAgreement()
    agreement.open(2)
    answers = [agreement(False, rank == 1 and call == 3) for call in range(1, 7)]
    agreement.close()
    expected = [(False, call == 4) for call in range(1, 7)]
    assert answers == expected


def test_two_ranks_learn_at_the_same_call_what_one_of_them_knows(tmp_path: Path) -> None:
    assert both_pass(check_answers, tmp_path)


def test_a_single_process_gets_back_what_it_says_at_once() -> None:
    agreement = RankAgreement()
    agreement.open(1)
    assert agreement(False, True) == (False, True)
    assert agreement(True, False) == (True, False)
