"""Log-likelihoods of continuations: those of a plain forward pass, however they are computed."""

import pytest
import torch

from uniapl_cli.errors import ModelError
from uniapl_cli.generation.agreement import forward_logps
from uniapl_cli.generation.continuations import encode
from uniapl_cli.generation.likelihood import ChoiceRequest, LikelihoodScorer

REQUESTS = (
    ChoiceRequest("Question: where is the harbour?\nAnswer:", (" A", " B", " C", " D"), "one"),
    ChoiceRequest("Question: what is it? ", ("a boat", "the market garden", "x"), "two"),
    ChoiceRequest("", ("A letter.", "Hi"), "three"),
)


def plain(model, tokenizer, request):
    """The log-probabilities by one forward pass an option, without a batch or a cache."""
    context, options = encode(tokenizer, request.context, request.options)
    rows = [forward_logps(model, [*context, *ids], "float32") for ids in options]
    return [row[len(context) - 1 :].sum().item() for row in rows]


def test_they_are_those_of_a_plain_forward_pass(model, tokenizer):
    scored = dict(LikelihoodScorer(model, tokenizer).score(REQUESTS))
    assert sorted(scored) == [0, 1, 2]
    for index, request in enumerate(REQUESTS):
        found = torch.tensor([one.logp for one in scored[index]])
        assert torch.allclose(found, torch.tensor(plain(model, tokenizer, request)), atol=1e-4)


@pytest.mark.parametrize("option", ["", "A " * 600])
def test_an_option_without_tokens_or_beyond_the_context_is_refused(model, tokenizer, option):
    request = ChoiceRequest("Answer:", (" A", option), "rows.csv:3")
    with pytest.raises(ModelError) as caught:
        list(LikelihoodScorer(model, tokenizer).score([request]))
    assert caught.value.where == "rows.csv:3"
