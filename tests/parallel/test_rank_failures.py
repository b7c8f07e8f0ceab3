"""A rank that fails brings the others down, in time, and its message is told once, as the last."""

import pytest
from short_runs import train, weights

pytestmark = pytest.mark.ranks
IN_TIME = 35  # seconds: 30, and some for a busy machine
GOES_ON = "Repeat the command: it goes on from the newest checkpoint"


def told(ended, line, codes):
    """Whether it ended with a line that is said once, and which codes."""
    assert ended.code == 1, ended.stderr  # torchrun's own
    assert ended.said[-1] == f"error: {line}"
    assert ended.said.count(ended.said[-1]) == 1 and ended.stdout == ""
    assert ended.codes == codes
    if (ended.folder / "trouble").exists():
        assert ended.seconds_after_trouble < IN_TIME


def test_what_one_rank_raises_is_told_with_its_number(ranks):
    trouble = {"rank": 1, "at": "sampling", "step": 2, "do": "error"}
    ended = train(ranks, "error", trouble=trouble)
    told(ended, "rank 1: it is wrong. Mend it", [2, 2])
    assert "it is wrong. Mend it" in ended.block
    assert "TrainingError" in (ranks.folder / "error/logs/rank-1.log").read_text()


def test_a_bug_of_one_rank_is_told_in_a_line_and_kept_in_its_log(ranks):
    ended = train(ranks, "bug", trouble={"rank": 1, "at": "the update", "step": 2, "do": "bug"})
    told(ended, "rank 1: KeyError: 'nothing' (bug/logs/rank-1.log has more)", [2, 1])
    log = (ranks.folder / "bug/logs/rank-1.log").read_text()
    assert "Traceback (most recent call last)" in log and "KeyError: 'nothing'" in log
    assert (
        "4 steps" not in log and "rank 0 of 2" in (ranks.folder / "bug/logs/rank-0.log").read_text()
    )


def test_a_bug_before_there_are_logs_shows_its_traceback(ranks):
    ended = train(
        ranks, "early", trouble={"rank": 1, "at": "opening the run's directory", "do": "bug"}
    )
    assert ended.code == 1 and ended.codes == [2, 1]
    assert ended.stderr.count("error: rank 1: KeyError: 'nothing'") == 1
    assert "Traceback" in ended.stderr.partition("error: rank 1")[0]


def test_what_only_one_rank_cannot_read(ranks):
    trouble = {"rank": 1, "do": "be elsewhere"}
    ended = train(ranks, "unread", method="sft", trouble=trouble)
    assert ended.said[-1].startswith("error: rank 1: ") and "no such file" in ended.said[-1]
    assert ended.codes == [2, 2] and ended.seconds_after_trouble < IN_TIME


def test_a_mistake_that_all_ranks_meet_is_told_once_without_a_number(ranks):
    ended = train(ranks, "mistake", "data.prompts=nowhere.jsonl")
    line = "override 'data.prompts=nowhere.jsonl': no such file or folder: 'nowhere.jsonl'"
    told(ended, line, [2, 2])
    assert len(ended.said) == 1
    assert not (ranks.folder / "mistake").exists()


@pytest.mark.parametrize(
    "at, step",
    [("opening the run's directory", 1), ("sampling", 2), ("the update", 3), ("the end", 5)],
)
def test_the_first_rank_names_one_that_was_killed(ranks, at, step):
    run = f"killed-{step}"
    ended = train(ranks, run, trouble={"rank": 1, "at": at, "step": step, "do": "kill"})
    places = {2: "sampling of step 2", 3: "the update of step 3"}
    if step == 1:  # the first rank has opened it, or is about to
        near = ("opening the run's directory", "the work after the start")
        assert ended.said[-1] in [f"error: rank 1 has ended, in {at}. {GOES_ON}" for at in near]
        assert ended.codes == [2, None]
    elif step < 5:
        told(ended, f"rank 1 has ended, in {places[step]}. {GOES_ON}", [2, None])
    else:  # it has ended, and its result is printed
        assert ended.codes == [2, None]
        assert ended.said[-1] == f"error: rank 1 has ended, in the end. {GOES_ON}"
    again = train(ranks, run)
    assert again.code == 0 and again.codes == [0, 0]


def test_another_rank_talks_when_the_first_one_was_killed(ranks):
    trouble = {"rank": 0, "at": "the update", "step": 3, "do": "kill"}
    ended = train(ranks, "headless", trouble=trouble, ranks=3)
    told(ended, f"rank 0 has ended, in the update of step 3. {GOES_ON}", [None, 2, 2])


@pytest.mark.parametrize("shard", ["none", "full"])
@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_killed_while_a_checkpoint_is_written_loses_nothing(ranks, shard, rank):
    run, more = f"saving-{shard}-{rank}", f"parallel.shard={shard}"
    trouble = {"rank": rank, "file": f"{run}/checkpoints/.*.tmp", "do": "kill"}
    ended = train(ranks, run, more, trouble=trouble)
    # A rank that writes nothing may have been faster than the kill.
    assert ended.code == 1 and ended.codes[1 - rank] == 2
    assert ended.said[-1].startswith(f"error: rank {rank} has ended, in ")
    assert train(ranks, run, more).code == 0
    if rank == 0:
        assert train(ranks, f"whole-{shard}", more).code == 0
        assert weights(ranks.folder / run) == weights(ranks.folder / f"whole-{shard}")


@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_that_does_not_come_is_named(ranks, rank):
    trouble = {"rank": rank, "at": "sampling", "step": 2, "do": "sleep"}
    ended = train(ranks, f"asleep-{rank}", "parallel.timeout=5", trouble=trouble)
    line = (
        f"rank {rank} did not come to sampling of step 2 within parallel.timeout = 5 s "
        f"(rank {rank} was last at the report of step 1). Raise parallel.timeout if that takes "
        "longer; the same command goes on from the newest checkpoint"
    )
    told(ended, line, [2, 2])


def test_a_rank_that_does_not_come_to_a_pass_of_sharded_weights_is_named(ranks):
    trouble = {"rank": 1, "at": "a pass", "step": 2, "do": "sleep"}
    more = ("parallel.timeout=5", "parallel.shard=full")
    ended = train(ranks, "passing", *more, trouble=trouble)
    assert ended.said[-1].startswith(
        "error: rank 1 did not come to the work after the update of step 2 within parallel.timeout"
    )
    assert ended.codes == [2, 2] and ended.seconds_after_trouble < IN_TIME
    assert "ended in\n" in (ranks.folder / "passing/logs/rank-1.log").read_text()


def test_ranks_end_when_their_launcher_was_killed(ranks):
    trouble = {"rank": 1, "at": "sampling", "step": 2, "do": "kill launcher"}
    ended = train(ranks, "orphans", "training.steps=400", trouble=trouble)
    assert ended.code == -9
    assert ended.codes_in_time(2, IN_TIME) == [2, 2]
    assert ended.said[-1] == f"error: the launcher has ended. {GOES_ON}"
