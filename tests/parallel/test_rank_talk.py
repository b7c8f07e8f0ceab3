"""Only the first rank talks; what is not for several ranks refuses; one rank is as none."""

import json

import pytest
from short_runs import steps, train, weights

pytestmark = pytest.mark.ranks


@pytest.fixture(scope="module")
def done(ranks):
    """A run that has ended well."""
    ended = train(ranks, "done", "--json")
    assert ended.codes == [0, 0] and ended.code == 0, ended.stderr
    return ended


def test_a_run_prints_one_result_and_keeps_a_log_of_each_rank(ranks, done):
    assert json.loads(done.stdout)["last"]["step"] == 4
    assert sum("processes train together" in line for line in done.said) == 1
    logs = sorted(path.name for path in (ranks.folder / "done/logs").iterdir())
    assert logs == ["rank-0.log", "rank-1.log"]
    for rank, name in enumerate(logs):
        log = (ranks.folder / "done/logs" / name).read_text()
        assert f"rank {rank} of 2" in log and "4 steps" in (log if rank == 0 else "4 steps")


def test_a_finished_run_is_told_again(ranks, done):
    again = train(ranks, "done", "--json")
    assert again.codes == [0, 0] and again.stdout == done.stdout


def test_a_dry_run_is_told_once_and_writes_nothing(ranks):
    ended = train(ranks, "dry", "--dry-run", "--json")
    assert ended.codes == [0, 0] and json.loads(ended.stdout)
    assert not (ranks.folder / "dry").exists()


@pytest.mark.parametrize("verb", [["eval", "eval.out=out"], ["status", "done"]])
def test_a_verb_that_is_not_for_several_refuses_once(ranks, verb):
    ended = ranks.run(*verb)
    # The launcher may end the second one before it has ended by itself.
    assert ended.codes[0] == 2 and ended.codes[1] in (2, None)
    assert ended.code == 1 and ended.stdout == ""
    assert ended.said == [
        "error: this command is done by one process, and a launcher has started 2. Type it without "
        "torchrun; train and pretrain-polar are for several"
    ]
    assert not (ranks.folder / "out").exists()


def test_one_rank_trains_as_a_process_without_a_launcher(ranks):
    assert train(ranks, "one", ranks=1).code == 0
    assert train(ranks, "none", ranks=0).code == 0
    assert weights(ranks.folder / "one") == weights(ranks.folder / "none")


@pytest.mark.parametrize("prompts", [1, 3])
def test_ranks_that_have_nothing_to_sample_or_to_update_from(ranks, prompts):
    more = (f"sources.rollouts.prompts_per_step={prompts}", "sources.rollouts.num_generations=2")
    ended = train(ranks, f"few-{prompts}", *more, ranks=3)
    assert ended.codes == [0, 0, 0], ended.stderr
    assert steps(ranks.folder / f"few-{prompts}") == [1, 2, 3, 4]
