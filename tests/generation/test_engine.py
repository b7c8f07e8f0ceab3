"""The engine: its budget, who joins when, what it leaves alone, in which dtype it keeps."""

import gc
import random
import weakref
from dataclasses import replace

import fixed_graph
import pytest
import torch
from torch import nn

from uniapl_cli.generation.cache import RowCache
from uniapl_cli.generation.generator import in_order
from uniapl_cli.generation.local import LocalGenerator
from uniapl_cli.generation.rows import Rows
from uniapl_cli.types import Sampling

SAMPLING = Sampling(temperature=1.1, max_new_tokens=40)


@pytest.fixture(scope="session")
def many(requests):
    """Requests of many lengths and limits, some with several seeds."""
    rng = random.Random(0)
    return [
        replace(
            requests[n % len(requests)],
            prompt_ids=requests[n % len(requests)].prompt_ids[: rng.randint(3, 40)],
            seeds=tuple(range(n, n + rng.randint(1, 3))),
            max_new_tokens=rng.choice([None, 1, 9, 25]),
        )
        for n in range(30)
    ]


@pytest.fixture
def arranged(monkeypatch):
    """[(rows, capacity)] of every arrangement."""
    sizes, arrange = [], RowCache.arrange

    def spy(cache, kept, new, width, column, capacity):
        sizes.append((len(kept) + new, capacity))
        arrange(cache, kept, new, width, column, capacity)

    monkeypatch.setattr(RowCache, "arrange", spy)
    return sizes


@pytest.fixture
def released(monkeypatch):
    """The samples that left their rows, with whether they had finished."""
    samples, release = [], Rows.release

    def spy(rows, numbers):
        done = rows.done.tolist()
        released = release(rows, numbers)
        samples.extend((s, done[row]) for s, row in zip(released, numbers, strict=True))
        return released

    monkeypatch.setattr(Rows, "release", spy)
    return samples


def tokens(answers):
    return [[completion.token_ids for completion in row] for row in answers]


@pytest.mark.parametrize("budget", [1, 300, 900, 2500])
def test_a_budget_is_kept_and_changes_no_token(many, generate, arranged, budget):
    expected = tokens(generate(many, SAMPLING))
    arranged.clear()
    assert tokens(generate(many, SAMPLING, batch_tokens=budget)) == expected
    assert all(rows * capacity <= budget or rows == 1 for rows, capacity in arranged)


def test_where_little_memory_is_free_less_is_computed_at_a_time(
    model, chat, many, generate, monkeypatch
):
    """Neither the logits of all rows nor a pass over prompts may take more than their shares."""
    expected = tokens(generate(many, SAMPLING))
    shapes = []
    hook = model.register_forward_pre_hook(
        lambda _m, _a, kwargs: shapes.append(kwargs["input_ids"].shape), with_kwargs=True
    )
    free = 4 * 10 * len(chat.tokenizer) * 50  # bytes; a fiftieth is ten rows of logits
    monkeypatch.setattr("uniapl_cli.generation.local.free_bytes", lambda _device: free)
    monkeypatch.setattr("uniapl_cli.generation.local.PREFILL_SHARE", 0.02)
    assert tokens(generate(many, SAMPLING, batch_tokens=2500)) == expected
    hook.remove()
    assert max(rows for rows, columns in shapes if columns == 1) <= 10
    assert max(rows * columns for rows, columns in shapes if columns > 1) <= 50


def test_rows_that_are_given_up_go_on_where_they_were(model, chat, requests, released):
    long = Sampling(temperature=1.0, max_new_tokens=150)
    generator = LocalGenerator(model, chat, batch_tokens=700)
    generator.stop_ids = {-1}
    several = [replace(request, seeds=(1, 2, 3)) for request in requests]
    answers = in_order(generator.generate(several, long), len(several))
    assert sum(not done for _, done in released) > 0
    generator.batch_tokens = None
    whole = in_order(generator.generate(several, long), len(several))
    assert tokens(answers) == tokens(whole)
    for row, other in zip(answers, whole, strict=True):
        for ours, theirs in zip(row, other, strict=True):
            assert ours.logps == pytest.approx(theirs.logps, abs=1e-4)


def test_others_take_the_places_of_those_that_have_finished(model, chat, many, monkeypatch):
    monkeypatch.setattr("uniapl_cli.generation.local.MOST_ROWS", {"cpu": 8})
    sizes, forward = [], Rows.forward

    def spy(rows):
        sizes.append((len(rows.busy), len(rows.samples)))
        forward(rows)

    monkeypatch.setattr(Rows, "forward", spy)
    generator = LocalGenerator(model, chat)
    answers = in_order(generator.generate(many, SAMPLING), len(many))
    assert len(answers) == len(many)
    assert max(rows for _, rows in sizes) == 8
    busy = sum(busy for busy, _ in sizes) / sum(rows for _, rows in sizes)
    assert busy > 0.65  # one batch after the other would leave more than half of them idle


def test_a_response_is_as_long_as_its_request_allows(model, chat, many):
    generator = LocalGenerator(model, chat)
    generator.stop_ids = {-1}
    answers = in_order(generator.generate(many, SAMPLING), len(many))
    for request, completions in zip(many, answers, strict=True):
        lengths = {len(c.token_ids) for c in completions}
        assert lengths == {request.max_new_tokens or SAMPLING.max_new_tokens}


def test_answers_come_as_they_get_done(model, chat, requests, monkeypatch):
    """And nothing of the engine's is in force while the caller has one."""
    passes, forward = [], Rows.forward
    monkeypatch.setattr(Rows, "forward", lambda rows: (passes.append(1), forward(rows))[1])
    generator = LocalGenerator(model, chat)
    generator.stop_ids = {-1}
    limits = [40, 3, 10, 25]
    limited = [replace(r, max_new_tokens=n) for r, n in zip(requests, limits, strict=True)]
    attention = model.config._attn_implementation
    seen = []
    for index, _ in generator.generate(limited, SAMPLING):
        seen.append((index, len(passes)))
        assert not torch.is_inference_mode_enabled()
        assert model.config._attn_implementation == attention
        assert not any("forward" in vars(m) for m in model.modules() if isinstance(m, nn.Linear))
    assert seen == [(1, 2), (2, 9), (3, 24), (0, 39)]


def test_an_answer_that_nobody_waits_for_leaves_the_model_as_it_was(model, chat, many):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    answers = LocalGenerator(model, chat).generate(many, SAMPLING)
    next(answers)
    answers.close()
    assert not any("forward" in vars(m) for m in model.modules() if isinstance(m, nn.Linear))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(p.is_inference() for p in model.parameters())


def test_weights_that_have_changed_are_those_that_are_sampled_from(model, chat, requests):
    generator = LocalGenerator(model, chat)
    first = in_order(generator.generate(requests, SAMPLING), len(requests))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, nn.Linear):
                layer.weight.mul_(0.5)
    other = in_order(generator.generate(requests, SAMPLING), len(requests))
    fresh = in_order(LocalGenerator(model, chat).generate(requests, SAMPLING), len(requests))
    model.load_state_dict(before)
    again = in_order(generator.generate(requests, SAMPLING), len(requests))
    assert tokens(other) == tokens(fresh) != tokens(first) == tokens(again)


def test_progress_is_estimated_now_and_then(model, chat, requests):
    """Not at every answer, which with many waiting would take longer than the answers."""
    one_after_the_other = [replace(requests[0], max_new_tokens=n) for n in range(1, 41)]
    reports = []
    generator = LocalGenerator(model, chat)
    generator.stop_ids = {-1}
    answers = generator.generate(one_after_the_other, SAMPLING, lambda *now: reports.append(now))
    total = sum(len(c.token_ids) for _, completions in answers for c in completions)
    assert len(reports) < 20
    assert reports[-1] == (total, 0)


def test_progress_counts_tokens(model, chat, many, monkeypatch):
    monkeypatch.setattr("uniapl_cli.generation.local.PROGRESS_SECONDS", 0.0)
    reports = []
    generator = LocalGenerator(model, chat)
    answers = generator.generate(many, SAMPLING, lambda drawn, left: reports.append((drawn, left)))
    total = sum(len(c.token_ids) for _, completions in answers for c in completions)
    drawn = [now for now, _ in reports]
    assert drawn == sorted(drawn) and drawn[-1] == total
    assert reports[-1][1] == 0 < reports[0][1]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_keys_and_values_are_in_the_arithmetics_dtype(
    model, chat, requests, monkeypatch, precision
):
    dtypes, arrange = set(), RowCache.arrange

    def spy(cache, *sizes):
        arrange(cache, *sizes)
        layers = cache.model_cache.layers
        dtypes.update(s.dtype for layer in layers for s in getattr(layer, "slabs", ()))

    monkeypatch.setattr(RowCache, "arrange", spy)
    generator = LocalGenerator(model, chat, precision=precision)
    list(generator.generate(requests, SAMPLING))
    assert dtypes == {getattr(torch, precision)}


def test_a_graph_could_be_replayed_from_one_arrangement_to_the_next(model, chat, many, monkeypatch):
    expected = in_order(LocalGenerator(model, chat).generate(many, SAMPLING), len(many))
    graph = fixed_graph.use(monkeypatch)
    monkeypatch.setattr("uniapl_cli.generation.local.LOOK", {"cpu": 5})
    answers = in_order(LocalGenerator(model, chat).generate(many, SAMPLING), len(many))
    assert tokens(answers) == tokens(expected)
    plain = all(type(layer).__name__ == "DynamicLayer" for layer in new_layers(model))
    assert (graph.replays > 0) == plain


def test_memory_is_given_back_at_the_last_answer(model, chat, requests, monkeypatch):
    """At once, as training needs it next: not when Python looks for circles of references."""
    fixed_graph.use(monkeypatch)
    seen, init = [], Rows.__init__

    def spy(rows, *args, **kwargs):
        init(rows, *args, **kwargs)
        seen.extend(map(weakref.ref, (rows, rows.cache, rows.cache.model_cache)))

    monkeypatch.setattr(Rows, "__init__", spy)
    gc.collect()
    gc.disable()
    try:
        for _ in LocalGenerator(model, chat).generate(requests, SAMPLING):
            pass
        assert len(seen) == 3 and not any(reference() for reference in seen)
    finally:
        gc.enable()


def new_layers(model):
    from uniapl_cli.generation.cache import new_cache

    return new_cache(model).layers


def test_one_prompt_is_read_once_for_all_its_samples(model, chat, requests, monkeypatch):
    widths = []
    hook = model.register_forward_pre_hook(
        lambda _m, _a, kwargs: widths.append(kwargs["input_ids"].shape), with_kwargs=True
    )
    group = replace(requests[0], seeds=tuple(range(6)))
    list(LocalGenerator(model, chat).generate([group, group], Sampling(max_new_tokens=1)))
    hook.remove()
    assert [shape for shape in widths if shape[1] > 1] == [(1, len(group.prompt_ids))]


def test_a_budget_that_is_not_set_follows_from_the_free_memory(model, chat, requests, monkeypatch):
    """Of bytes: a token's keys and values of all layers, in the arithmetic's dtype."""
    config = model.config
    layers = [layer for layer in new_layers(model) if type(layer).__name__ == "DynamicLayer"]
    size = (
        2
        * config.num_key_value_heads
        * getattr(config, "head_dim", config.hidden_size // config.num_attention_heads)
    )
    a_token = len(layers) * size * 2
    monkeypatch.setattr(
        "uniapl_cli.generation.local.free_bytes", lambda _device: 4 * 5000 * a_token
    )
    budgets = []
    monkeypatch.setattr(
        "uniapl_cli.generation.local.Decoder",
        lambda *_args, budget, **_more: budgets.append(budget) or 1 / 0,
    )
    generator = LocalGenerator(model, chat, precision="bfloat16")
    with pytest.raises(ZeroDivisionError):
        list(generator.generate(requests, SAMPLING))
    assert budgets == [5000]


def test_rows_that_have_finished_are_left_out_once_nobody_waits(model, chat, many, monkeypatch):
    sizes, forward = [], Rows.forward

    def spy(rows):
        sizes.append((len(rows.busy), len(rows.samples), rows.cache.rows))
        forward(rows)

    monkeypatch.setattr(Rows, "forward", spy)
    answers = in_order(LocalGenerator(model, chat).generate(many, SAMPLING), len(many))
    assert all(busy == rows == of_cache for busy, rows, of_cache in sizes)
    assert len({busy for busy, _, _ in sizes}) > 5
    monkeypatch.setattr(Rows, "drop_idle", lambda _rows: None)
    kept = in_order(LocalGenerator(model, chat).generate(many, SAMPLING), len(many))
    assert tokens(answers) == tokens(kept)
