"""A signal stops all ranks after the same step; the same command goes on to the same weights."""

import pytest
from short_runs import checkpoints, steps, train, weights

pytestmark = pytest.mark.ranks


@pytest.fixture(scope="module")
def whole(ranks):
    """The weights of a run that nothing has stopped."""
    assert train(ranks, "undisturbed").code == 0
    return weights(ranks.folder / "undisturbed")


@pytest.mark.parametrize(
    "at, do, kept",
    [
        ("sampling", "term launcher", 1),
        ("sampling", "int launcher", 1),
        ("the update", "term launcher", 2),
        ("the update", "int launcher", 2),
        ("sampling", "term", 1),  # to one rank only
        ("the update", "term", 2),
    ],
)
def test_a_stop_leaves_one_checkpoint_that_all_go_on_from(ranks, whole, at, do, kept):
    run = f"{at} {do}".replace(" ", "-")
    ended = train(ranks, run, trouble={"rank": 1, "at": at, "step": 2, "do": do})
    assert ended.codes == [130, 130] and ended.code == 1
    assert ended.said[-1] == f"stopped; the same command goes on from the checkpoint of step {kept}"
    assert ended.stderr.count("the same command") == (2 if ended.block else 1)
    assert checkpoints(ranks.folder / run) == [f"step-{kept:08d}"]
    assert train(ranks, run).codes == [0, 0]
    assert steps(ranks.folder / run) == [1, 2, 3, 4]
    assert weights(ranks.folder / run) == whole


def test_a_second_signal_stops_at_once(ranks, whole):
    trouble = {"rank": 0, "at": "the update", "step": 2, "do": "term launcher twice"}
    ended = train(ranks, "twice", trouble=trouble)
    assert ended.codes == [130, 130]
    assert ended.said[-1] == "stopped; the same command starts anew"
    assert train(ranks, "twice").code == 0 and weights(ranks.folder / "twice") == whole


def test_a_stop_before_the_first_step(ranks):
    trouble = {"rank": 1, "at": "opening the run's directory", "do": "term launcher"}
    ended = train(ranks, "before", trouble=trouble)
    assert ended.codes == [130, 130] and ended.said[-1].startswith("stopped; ")


def test_a_stop_while_the_model_is_saved(ranks, whole):
    trouble = {"rank": 1, "at": "saving the model", "step": 5, "do": "term"}
    ended = train(ranks, "after", trouble=trouble)
    assert ended.codes == [130, 130]
    assert ended.said[-1] == "stopped; the same command goes on from the checkpoint of step 4"
    assert train(ranks, "after").code == 0 and weights(ranks.folder / "after") == whole


@pytest.mark.parametrize(
    "at, do, kept",
    [
        ("the beginning", "term", 1),
        ("sampling", "term launcher", 2),
        ("a pass", "term launcher", 2),
    ],
)
def test_ranks_that_hold_parts_stop_together(ranks, at, do, kept):
    run = f"parts {at} {do}".replace(" ", "-")
    more = ("parallel.shard=full",)
    ended = train(ranks, run, *more, trouble={"rank": 1, "at": at, "step": 2, "do": do})
    assert ended.codes == [130, 130]
    assert ended.said[-1] == f"stopped; the same command goes on from the checkpoint of step {kept}"
    assert train(ranks, run, *more).codes == [0, 0]
    assert steps(ranks.folder / run) == [1, 2, 3, 4]
