"""Log-likelihoods of continuations: those of a plain forward pass, however they are computed."""

import family_checks
import pytest
import torch
from architectures import ALL, USUAL

from uniapl_cli.errors import ModelError
from uniapl_cli.generation import likelihood
from uniapl_cli.generation.agreement import forward_logps
from uniapl_cli.generation.continuations import encode
from uniapl_cli.generation.likelihood import ChoiceRequest, LikelihoodScorer
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.policy import load_model

SHOTS = (
    "Question: what is a boat?\nA. it floats\nB. it sinks\nAnswer: A\n\n"
    "Question: is the market open?\nA. yes\nB. no\nAnswer: B\n\n"
)
REQUESTS = [
    *(
        ChoiceRequest(
            f"{SHOTS}Question: number {n} of the harbour{' and' * n}?\nAnswer:",
            (" A", " B", " the boat is here", " no boat" * (n + 1)),
            f"shots:{n}",
        )
        for n in range(6)
    ),
    ChoiceRequest("Question: what is it? ", ("a boat", "the market garden", "x"), "two"),
    ChoiceRequest("Hello", (" world",), "one"),
    ChoiceRequest("", ("A letter.", "Hi"), "empty"),
]


@pytest.fixture(scope="module")
def shipped():
    return load_model(resolve("tiny:base"), "cpu")


def plain(model, tokenizer, request):
    """The log-probabilities by one forward pass an option, without a batch or a cache."""
    context, options = encode(tokenizer, request.context, request.options)
    rows = [forward_logps(model, [*context, *ids], "float32") for ids in options]
    return [row[len(context) - 1 :].sum().item() for row in rows]


def scored(scorer, requests=REQUESTS):
    found = dict(scorer.score(requests))
    return [found[index] for index in range(len(requests))]


def logps(answers):
    return torch.tensor([one.logp for row in answers for one in row])


def check(model, tokenizer, **options):
    expected = [logp for request in REQUESTS for logp in plain(model, tokenizer, request)]
    found = scored(LikelihoodScorer(model, tokenizer, precision="float32", **options))
    assert torch.allclose(logps(found), torch.tensor(expected), atol=1e-4)


def test_they_are_those_of_a_plain_forward_pass(model, tokenizer):
    check(model, tokenizer)


@pytest.mark.parametrize(
    "family", [pytest.param(f, marks=[] if f in USUAL else pytest.mark.slow) for f in ALL]
)
def test_so_they_are_for_any_architecture(family, tokenizer):
    """Also where windows slide, states are kept, or a cache is of no use."""
    policy = family_checks.new_policy(family, tokenizer)
    check(policy.model, tokenizer)
    found = scored(LikelihoodScorer(policy.model, tokenizer, precision="bfloat16"))
    assert all(one.tokens and one.logp < 0 for row in found for one in row)


@pytest.mark.parametrize("family", USUAL)
def test_beginnings_are_shared_whatever_the_layers_keep(family, tokenizer):
    """And options stand in one row where no layer has a window or a state."""
    scorer = LikelihoodScorer(family_checks.new_policy(family, tokenizer).model, tokenizer)
    assert scorer.shares
    assert scorer.forks == (family in ("llama", "deepseek_v3"))


def test_a_model_that_keeps_what_it_read_elsewhere_shares_nothing(tokenizer):
    scorer = LikelihoodScorer(family_checks.new_policy("mamba2", tokenizer).model, tokenizer)
    assert not scorer.shares and not scorer.forks


@pytest.mark.parametrize("budget", [1, 150, 400])
@pytest.mark.parametrize("shares", [True, False])
@pytest.mark.parametrize("forks", [True, False])
def test_neither_budget_nor_sharing_nor_order_changes_them(
    shipped, tokenizer, budget, shares, forks
):
    scorer = LikelihoodScorer(shipped, tokenizer)
    assert scorer.shares and scorer.forks
    expected = scored(scorer)
    scorer.shares, scorer.forks, scorer.batch_tokens = shares, forks, budget
    found = scored(scorer, REQUESTS[::-1])[::-1]
    assert torch.allclose(logps(found), logps(expected), atol=1e-4)
    told = [[(one.tokens, one.greedy) for row in rows for one in row] for rows in (found, expected)]
    assert told[0] == told[1]


def test_an_option_is_greedy_if_each_of_its_tokens_is_the_likeliest(shipped, tokenizer):
    context, _ = encode(tokenizer, REQUESTS[0].context, [])
    ids = torch.tensor([context])
    for _ in range(4):
        ids = torch.cat([ids, shipped(input_ids=ids).logits[:, -1:].argmax(-1)], 1)
    likeliest = tokenizer.decode(ids[0, len(context) :])
    request = ChoiceRequest(REQUESTS[0].context, (likeliest, likeliest + " boat", " boat"))
    (found,) = scored(LikelihoodScorer(shipped, tokenizer), [request])
    assert [one.greedy for one in found] == [True, False, False]
    assert [one.tokens for one in found][0] == 4


def counted(monkeypatch, scorer):
    """The tokens of each pass from now on, and those that go through the head."""
    passes, heads = [], []
    forward, product = scorer.backbone.forward, likelihood.product

    def read(*args, input_ids, **options):
        passes.append(input_ids.shape)
        return forward(*args, input_ids=input_ids, **options)

    def multiply(hidden, *args):
        heads.append(len(hidden))
        return product(hidden, *args)

    monkeypatch.setattr(scorer.backbone, "forward", read)
    monkeypatch.setattr(likelihood, "product", multiply)
    return passes, heads


def test_what_contexts_share_is_read_once_and_so_is_a_context_of_many_options(
    shipped, tokenizer, monkeypatch
):
    scorer = LikelihoodScorer(shipped, tokenizer)
    requests = [ChoiceRequest(r.context, (" A", " B", " C", " D"), r.name) for r in REQUESTS[:6]]
    passes, _ = counted(monkeypatch, scorer)
    scored(scorer, requests)
    contexts = [encode(tokenizer, request.context, [])[0] for request in requests]
    shared = passes[0][1]
    assert passes[0] == (1, shared) and all(
        ids[:shared] == contexts[0][:shared] for ids in contexts
    )
    assert len({ids[shared] for ids in contexts}) > 1 or shared == min(map(len, contexts)) - 1
    assert sum(rows for rows, _ in passes[1:]) == 6
    assert max(columns for _, columns in passes[1:]) == max(map(len, contexts)) - shared


def test_the_vocabulary_is_multiplied_for_the_options_tokens_alone(shipped, tokenizer, monkeypatch):
    """Never tokens times vocabulary of a batch, and no more than the budget of logits at a time."""
    monkeypatch.setattr(likelihood, "LOGIT_BUDGET", 5 * len(tokenizer))
    scorer = LikelihoodScorer(shipped, tokenizer)
    passes, heads = counted(monkeypatch, scorer)
    found = scored(scorer)
    assert sum(heads) == sum(one.tokens for row in found for one in row)
    assert max(heads) <= 5 < max(rows * columns for rows, columns in passes)


def test_a_budget_bounds_what_is_held(shipped, tokenizer, monkeypatch):
    scorer = LikelihoodScorer(shipped, tokenizer, batch_tokens=300)
    held = []
    repeated = likelihood.repeated
    monkeypatch.setattr(
        likelihood,
        "repeated",
        lambda cache, rows: held.append(rows * cache.get_seq_length()) or repeated(cache, rows),
    )
    passes, _ = counted(monkeypatch, scorer)
    scored(scorer)
    assert held and max(held) <= 300
    assert all(rows == 1 or rows * columns <= 300 for rows, columns in passes)


def test_progress_counts_the_tokens_that_are_read(shipped, tokenizer, monkeypatch):
    scorer = LikelihoodScorer(shipped, tokenizer, batch_tokens=150)
    told = []
    passes, _ = counted(monkeypatch, scorer)
    list(scorer.score(REQUESTS, lambda done, left: told.append((done, left))))
    assert len(told) > 3 and told[-1][1] == 0 and told == sorted(told)
    assert len({done + left for done, left in told}) == 1
    assert told[-1][0] <= sum(rows * columns for rows, columns in passes)  # padding beside


def test_while_the_caller_has_an_answer_the_model_is_as_it_was(shipped, tokenizer):
    for _ in LikelihoodScorer(shipped, tokenizer).score(REQUESTS):
        assert not any("forward" in vars(module) for module in shipped.modules())


def test_likelihoods_that_are_not_numbers_are_an_error(tokenizer):
    model = load_model(resolve("tiny:base"), "cpu")
    scorer = LikelihoodScorer(model, tokenizer)
    with torch.no_grad():
        model.get_decoder().norm.weight.fill_(torch.nan)
    with pytest.raises(ModelError, match="not numbers"):
        scored(scorer)


def test_requests_without_options_are_answered(shipped, tokenizer):
    requests = [ChoiceRequest("Hello", ()), REQUESTS[0]]
    assert [len(row) for row in scored(LikelihoodScorer(shipped, tokenizer), requests)] == [0, 4]
    assert scored(LikelihoodScorer(shipped, tokenizer), []) == []


@pytest.mark.parametrize("option", ["", "A " * 600])
def test_an_option_without_tokens_or_beyond_the_context_is_refused(shipped, tokenizer, option):
    request = ChoiceRequest("Answer:", (" A", option), "rows.csv:3")
    with pytest.raises(ModelError) as caught:
        scored(LikelihoodScorer(shipped, tokenizer), [*REQUESTS, request])
    assert caught.value.where == "rows.csv:3"


def test_the_last_token_of_an_option_needs_no_place_in_the_context(shipped, tokenizer):
    places = shipped.config.max_position_embeddings
    length = len(encode(tokenizer, "A" + " A" * 40, [" A"])[0])
    assert length == 41  # a token a word
    full = ChoiceRequest("A" + " A" * (places - 1), (" B",), "full")
    assert scored(LikelihoodScorer(shipped, tokenizer), [full])[0][0].tokens == 1
    with pytest.raises(ModelError):
        longer = ChoiceRequest("A" + " A" * (places - 1), (" B B",), "longer")
        scored(LikelihoodScorer(shipped, tokenizer), [longer])
