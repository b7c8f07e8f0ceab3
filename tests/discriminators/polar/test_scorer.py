"""Prefixes and batches: whatever is shared, padded or shuffled, a row's score is its own."""

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaModel, Qwen3Config

from uniapl_cli.discriminators.batches import batches
from uniapl_cli.discriminators.polar.plan import PrefixGroup, prefix_groups
from uniapl_cli.discriminators.polar.prefixes import Prefixes
from uniapl_cli.discriminators.polar.scorer import Scorer, can_share

SEPARATOR = 1


def rows_of(rng: random.Random, groups: int) -> list[tuple[int, ...]]:
    """Rows of several prompts with a few candidates each, some of them alike, in no order."""
    rows: list[tuple[int, ...]] = []
    for _ in range(groups):
        prompt = rng.choices(range(3, 40), k=rng.randint(0, 20))
        reference = rng.choices(range(3, 40), k=rng.randint(0, 15))
        for _ in range(rng.randint(1, 5)):
            candidate = rng.choices(range(3, 40), k=rng.randint(0, 15))
            rows.append((*prompt, *reference, SEPARATOR, *prompt, *candidate, 2))
            rows += [rows[-1]] * (rng.random() < 0.2)
    rng.shuffle(rows)
    return rows


def prefixes_of(rows):
    """What the rows begin like: all up to the separator, and some of the prompt after it."""
    heads = [row[: row.index(SEPARATOR) + 1] for row in rows]
    return [head + head[: len(head) // 2] for head in heads]


@pytest.fixture(scope="module")
def backbone():
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=40,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.2,
    )
    return LlamaModel(config).eval()


@pytest.fixture(scope="module")
def head():
    weight = 0.2 * torch.randn(1, 32, generator=torch.Generator().manual_seed(1))
    return lambda hidden: torch.nn.functional.linear(hidden.float(), weight).squeeze(1)


@pytest.fixture(scope="module")
def alone(backbone, head):
    """alone(rows): each row's score by itself, without any of the scorer."""

    @torch.no_grad()
    def score(rows):
        one = [backbone(input_ids=torch.tensor([row])).last_hidden_state[:, -1] for row in rows]
        return [head(hidden).item() for hidden in one]

    return score


@pytest.mark.parametrize("attention", ["sdpa", pytest.param("eager", marks=pytest.mark.slow)])
@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize(
    "budget", [60, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 300, 10**6))]
)
def test_a_score_depends_on_its_row_alone(backbone, head, alone, budget, share, attention):
    backbone.set_attn_implementation(attention)
    scorer = Scorer(backbone, head, batch_tokens=budget, share=share)
    assert scorer.share == share
    for seed in range(4):
        rows = rows_of(random.Random(seed), 6)
        begins = prefixes_of(rows)
        scores = scorer(rows, begins)
        assert len({round(score, 4) for score in scores}) > 8
        assert scores == pytest.approx(alone(rows), abs=1e-5)
        assert scorer(rows[::-1], begins[::-1])[::-1] == pytest.approx(scores, abs=1e-5)
        assert scorer(rows[:5], begins[:5]) == pytest.approx(scores[:5], abs=1e-5)
        assert scorer(rows, begins) == scores
    backbone.set_attn_implementation("sdpa")


def test_the_same_row_is_computed_once_and_a_prefix_too(backbone, head):
    seen = []
    hook = backbone.embed_tokens.register_forward_hook(lambda _, args, __: seen.append(args[0]))
    scorer = Scorer(backbone, head, batch_tokens=1000, share=True)
    prefix = (5, 6, 7, SEPARATOR, 5, 6)
    rows = [(*prefix, 8, 2), (*prefix, 9, 9, 2), (*prefix, 8, 2), (4, SEPARATOR, 4, 2)]
    scores = scorer(rows, [*[prefix] * 3, (4, SEPARATOR)])
    hook.remove()
    assert scores[0] == scores[2]
    assert [ids.tolist() for ids in seen] == [
        [[4, SEPARATOR, 4, 2]],
        [list(prefix)],
        [[9, 9, 2], [8, 2, 0]],
    ]


@pytest.mark.parametrize("budget", [50, 200, 1000])
def test_no_batch_holds_more_than_the_budget(backbone, head, budget):
    """Counted in tokens that attention sees: rows times (prefix + end)."""
    sizes = []

    def note(_, args, kwargs):
        cache = kwargs.get("past_key_values")
        ids = kwargs["input_ids"]
        sizes.append((len(ids), ids.shape[1] + (cache.get_seq_length() if cache else 0)))

    hook = backbone.register_forward_pre_hook(note, with_kwargs=True)
    rows = rows_of(random.Random(3), 9)
    Scorer(backbone, head, batch_tokens=budget, share=True)(rows, prefixes_of(rows))
    hook.remove()
    assert sizes and all(rows == 1 or rows * width <= budget for rows, width in sizes)


def states_bytes(backbone, prefix):
    """Keys and values in float32 of a prefix, by the model's shape."""
    config = backbone.config
    heads = config.num_key_value_heads * config.head_dim
    return 2 * 4 * config.num_hidden_layers * heads * len(prefix)


@pytest.fixture
def long(monkeypatch):
    """Prefixes of 12 ids are long, as those of 128 are."""
    monkeypatch.setattr("uniapl_cli.discriminators.polar.scorer.LONG", 12)


@pytest.fixture(scope="module")
def steps():
    """What three steps score: their rows with prefixes, the last step's prompts all seen before."""
    by_step = [rows_of(random.Random(seed), 4) for seed in range(2)]
    by_step.append([row for rows in by_step for row in rows[:12]])
    return [(rows, prefixes_of(rows)) for rows in by_step]


@pytest.mark.slow
@pytest.mark.parametrize("budget", [60, 10**6])
@pytest.mark.parametrize("invariant", [True, False])
def test_what_was_scored_before_changes_no_bit(long, backbone, head, steps, budget, invariant):
    """Cached, not cached, some of it cached; in any order of the steps, and after a restart."""

    def fresh(limit):
        prefixes = Prefixes(limit)
        return Scorer(backbone, head, batch_tokens=budget, share=True, prefixes=prefixes)

    without = [fresh(0)(*step, batch_invariant=invariant) for step in steps]
    for limit, order in ((1, [0, 1, 2]), (30000, [2, 1, 0]), (10**9, [1, 2, 1, 0, 2])):
        scorer = fresh(limit)
        for number in order:
            assert scorer(*steps[number], batch_invariant=invariant) == without[number]
        assert (scorer.prefixes.hits > 0) == (limit > 1)
        assert scorer.prefixes.bytes <= limit


def test_a_batch_invariant_score_has_the_same_bits_in_any_company(long, backbone, head, steps):
    rows, begins = steps[0]
    for share in (True, False):
        scorer = Scorer(backbone, head, batch_tokens=10**6, share=share)
        one = [scorer([r], [b], batch_invariant=True)[0] for r, b in zip(rows, begins, strict=True)]
        assert scorer(rows, begins, batch_invariant=True) == one
        assert scorer(rows[4:], begins[4:], batch_invariant=True) == one[4:]


@pytest.mark.parametrize("limit", [0, 30000, 60000, 10**9])
def test_what_is_kept_stays_within_the_bound(long, backbone, head, steps, limit):
    prefixes = Prefixes(limit)
    scorer = Scorer(backbone, head, batch_tokens=200, share=True, prefixes=prefixes)
    for rows, begins in steps:
        scorer(rows, begins, batch_invariant=True)
    held = [state for states in prefixes._cache.values() for state in states]
    assert sum(state.untyped_storage().nbytes() for state in held) == prefixes.bytes <= limit
    long_prefixes = {begin for _, begins in steps for begin in begins if len(begin) >= 12}
    whole = sum(states_bytes(backbone, begin) for begin in long_prefixes)
    assert (prefixes.bytes == whole) == (whole <= limit)
    assert (limit > 0) == bool(held)


def test_a_prefix_that_is_kept_is_not_computed_again(long, backbone, head, steps):
    rows, begins = steps[0]
    scorer = Scorer(backbone, head, batch_tokens=10**6, share=True, prefixes=Prefixes(10**9))
    seen = []
    hook = backbone.embed_tokens.register_forward_hook(lambda _, args, __: seen.append(args[0]))
    first = scorer(rows, begins)
    misses, computed = scorer.prefixes.misses, len(seen)
    assert misses > 1 and scorer.prefixes.hits == 0
    assert scorer(rows, begins) == first
    hook.remove()
    assert (scorer.prefixes.misses, scorer.prefixes.hits) == (misses, misses)
    assert len(seen) - computed == computed - misses


def test_that_the_memory_for_prefixes_is_used_up_is_said_once(long, backbone, head, steps, caplog):
    scorer = Scorer(backbone, head, batch_tokens=10**6, share=True, prefixes=Prefixes(30000))
    with caplog.at_level("INFO", "uniapl"):
        for step in steps * 2:
            scorer(*step)
    assert caplog.text.count("discriminator.cache_mb") == 1


def test_only_last_hidden_states_reach_the_head(backbone):
    shapes = []

    def head(hidden):
        shapes.append(tuple(hidden.shape))
        return hidden.sum(1)

    rows = rows_of(random.Random(1), 4)
    Scorer(backbone, head, batch_tokens=10**6, share=True)(rows, prefixes_of(rows))
    assert sum(shape[0] for shape in shapes) == len(set(rows))
    assert {shape[1:] for shape in shapes} == {(32,)}


def test_nothing_to_score(backbone, head):
    assert Scorer(backbone, head, batch_tokens=9, share=True)([], []) == []


def test_groups_share_ids():
    rows = [(5, 1, 5, 7, 2), (5, 1, 6, 2), (4, 1, 4, 2), (3, 1, 2)]
    prefixes = [(5, 1, 5), (5, 1, 5), (4, 1, 4), ()]
    assert prefix_groups(rows, prefixes) == [
        PrefixGroup((5, 1, 5), {0: 3, 1: 2}),
        PrefixGroup((4, 1, 4), {2: 3}),
    ]
    # A row that is no longer than its prefix keeps its last id.
    assert prefix_groups([(5, 1, 5)], [(5, 1, 5)]) == [PrefixGroup((5, 1, 5), {0: 2})]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 30), max_size=40), st.integers(1, 80))
def test_batches_hold_every_index_once_and_at_most_the_budget(widths, budget):
    planned = list(batches(range(len(widths)), widths, budget))
    assert sorted(index for batch in planned for index in batch) == list(range(len(widths)))
    for batch in planned:
        widest = max(widths[i] for i in batch)
        assert len(batch) == 1 or len(batch) * widest <= budget
        assert 2 * min(widths[i] for i in batch) >= widest


def test_models_that_forget_share_nothing():
    assert can_share(LlamaConfig(attn_implementation="eager"))
    assert not can_share(LlamaConfig(attn_implementation="flash_attention_2"))
    sliding = Qwen3Config(
        use_sliding_window=True,
        sliding_window=64,
        max_window_layers=1,
        attn_implementation="sdpa",
    )
    assert can_share(Qwen3Config(attn_implementation="sdpa")) and not can_share(sliding)
