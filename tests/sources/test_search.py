"""Beginnings that are searched for: as short as a group that fails succeeds from."""

import pytest
from rollout_cases import example
from threaded_ranks import on_ranks

from uniapl_cli.chat import Chat
from uniapl_cli.data.encode import encode
from uniapl_cli.objectives import advantages
from uniapl_cli.ranks import ALONE
from uniapl_cli.rewards import Reward, WeightedFunction
from uniapl_cli.sources import Parts, StepContext, sources
from uniapl_cli.sources.search import Bisection, Search
from uniapl_cli.types import Completion, Sampling

SEARCH = Search(10, 0.2, 0.8)
# Of third parties' account of BREAD: the success by episodes given, and what a bisection finds.
RATES = [0, 0, 0, 0, 0.125, 0.25, 0.5, 0.75, 0.875, 1, 1]


def probes(rates, search=SEARCH):
    """The parts that a search gives one after the other, of groups that succeed so often."""
    way, share = Bisection(search, 0, search.slices), rates[0]
    while (parts := way.next(share)) is not None:
        share = rates[parts]
    return way.probed


def test_the_reported_search():
    assert probes(RATES) == [5]


def test_a_group_that_succeeds_is_not_searched():
    assert probes([0.25, *RATES[1:]]) == []
    assert probes([1.0] * 11) == []


@pytest.mark.parametrize("first", range(1, 10))
def test_a_search_ends_at_the_first_part_that_is_enough_or_in_four_steps(first):
    """Without a band to hit, every step halves what is left: at most four of ten parts."""
    found = probes([0.0] * first + [1.0] * (11 - first))
    assert len(found) <= 4
    assert len(found) == len(set(found))
    assert first in found or first - 1 in found


def test_a_search_never_gives_nothing_or_everything():
    for slices in (1, 2, 3, 10):
        for rate in (0.0, 1.0):
            found = probes([0.0] + [rate] * slices, Search(slices, 0.2, 0.8))
            assert all(0 < parts < slices for parts in found)


@pytest.fixture
def chat(tokenizer):
    return Chat(tokenizer)


@pytest.fixture
def rows(chat):
    said = "one two three four five six seven eight nine ten eleven twelve."
    return encode(chat, [example(i, t) for i, t in zip("abcd", [said] * 3 + [None], strict=True)])


class Needs:
    """Half of the rollouts are right where enough tokens are given: none, 4, more than can be."""

    metrics = {}

    def __init__(self, rows):
        self.prompts = {tuple(item.prompt): item.example.id for item in rows}
        self.asked = []

    def follow(self, policy):
        pass

    def generate(self, requests, sampling, progress=None):
        self.asked.append(requests)
        for index, request in reversed(list(enumerate(requests))):
            (prompt,) = [p for p in self.prompts if request.prompt_ids[: len(p)] == p]
            enough = len(request.prompt_ids) - len(prompt) >= {"b": 4, "a": 0}.get(
                self.prompts[prompt], 99
            )
            ids = [(7, 7) if enough and n % 2 else (8,) for n in range(len(request.seeds))]
            yield index, [Completion(str(i), i, (-0.5,) * len(i), "stop") for i in ids]


def draw(chat, rows, policy, ranks=ALONE):
    generator = Needs(rows)

    def score(rollouts):
        return [float(r.completion.token_ids[-1] == 7) for r in rollouts]

    measured = []

    def count(rollouts):
        measured.extend(rollouts)
        return score(rollouts)

    reward = Reward("verifier", [WeightedFunction("s", 1.0, count)], advantages["group"].definition)
    parts = Parts(
        chat, generator, {"verifier": reward}, Sampling(max_new_tokens=100), 0, policy, ranks=ranks
    )
    prefix = {"rows": "all", "law": "search"}
    source = sources.options("rollouts", num_generations=4, prefix=prefix).make("r", parts)
    drawn = source.draw(StepContext(rows, 0, ["verifier"], None, {}, ("given", "right")))
    return drawn, generator, measured


def test_groups_that_fail_are_sampled_again_from_longer_beginnings(chat, rows, new_policy):
    drawn, generator, measured = draw(chat, rows, new_policy(0))
    assert [r.example.id for r in drawn.rollouts] == [i for i in "abcd" for _ in range(4)]
    given = [r.given for r in drawn.rollouts[::4]]
    tokens = len(rows[1].response)
    assert given == [0, int(tokens * 0.5), int(tokens * 0.9), 0]
    assert drawn.batch.known["right"].tolist() == [False, True] * 4 + [False] * 8
    assert [len({len(r.seeds) for r in asked}) for asked in generator.asked] == [1] * 5
    assert [len(asked) for asked in generator.asked] == [4, 2, 1, 1, 1]
    seeds = [seed for asked in generator.asked for r in asked for seed in r.seeds]
    assert len(seeds) == len(set(seeds)) == len(measured)
    assert drawn.samples[4]["given"] == given[1]


def test_several_ranks_search_as_one(chat, rows, new_policy):
    alone, _, _ = draw(chat, rows, new_policy(0))
    policies = [new_policy(0), new_policy(0)]

    def job(ranks):
        return draw(chat, rows, policies[ranks.rank], ranks)[0]

    for drawn in on_ranks(2, job):
        assert drawn.samples == alone.samples
        assert drawn.metrics == alone.metrics


def test_a_search_is_of_whole_groups():
    with pytest.raises(ValueError, match="rows=all"):
        sources.options("rollouts", prefix={"rows": 1, "law": "search"})


def test_a_band_has_two_ends():
    with pytest.raises(ValueError, match="above high"):
        sources.options("rollouts", prefix={"rows": "all", "law": {"kind": "search", "low": 0.9}})
