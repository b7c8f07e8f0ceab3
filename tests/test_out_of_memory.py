"""Where memory is refused in sampling or scoring, the error names the key that asks for less."""

import family_checks
import pytest
import torch
from typer import Exit

from uniapl_cli.cli.session import session
from uniapl_cli.discriminators.discriminator import Comparison, discriminators
from uniapl_cli.errors import OutOfMemory
from uniapl_cli.generation.decoder import Decoder
from uniapl_cli.generation.likelihood import ChoiceRequest, LikelihoodScorer
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.tiny.models import new_model
from uniapl_cli.training.policy import Policy

COMPARISONS = [Comparison("a", "Say it.", "It is old.", "It is new.")]


def refuse(*_, **__):
    raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes")


@pytest.fixture
def policy(tokenizer):
    return Policy(new_model(tokenizer, hidden=16, layers=1, seed=0), tokenizer)


def named(error):
    assert "out of memory" in str(error) and str(error.key) in str(error)
    assert "\n" not in str(error)
    return error.key


def test_sampling_names_the_tokens_that_it_holds(policy, monkeypatch):
    generator = family_checks.new_generator(policy)
    monkeypatch.setattr(Decoder, "advance", refuse)
    with pytest.raises(OutOfMemory) as caught:
        list(generator.generate(family_checks.REQUESTS, family_checks.SAMPLING))
    assert named(caught.value) == "generation.batch_tokens"
    assert f"{generator.held:,} tokens" in str(caught.value) and generator.held > 0


def test_likelihoods_too(policy):
    scorer = LikelihoodScorer(policy.model, policy.tokenizer)
    policy.net.backbone.layers[0].mlp.forward = refuse
    with pytest.raises(OutOfMemory) as caught:
        list(scorer.score([ChoiceRequest("Is it old?", (" Yes", " No"))]))
    assert named(caught.value) == "generation.batch_tokens"


@pytest.mark.parametrize(("kind", "path"), [("polar", "tiny:polar"), ("embedding", "tiny:base")])
def test_scoring_names_the_tokens_of_a_batch(kind, path):
    discriminator = discriminators.options(kind, path=path).make(resolve(path), "cpu")
    model = discriminator.polar.model if kind == "polar" else discriminator.model
    for module in model.modules():
        if type(module).__name__.endswith("MLP"):
            module.forward = refuse
    with pytest.raises(OutOfMemory) as caught:
        discriminator.score(COMPARISONS)
    assert named(caught.value) == "discriminator.batch_tokens"


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory")])
def test_anywhere_else_a_verb_ends_with_one_line(error, capsys):
    with pytest.raises(Exit) as caught, session(debug=False):
        raise error
    assert caught.value.exit_code == 2
    assert "training.micro_batch_tokens" in capsys.readouterr().err
