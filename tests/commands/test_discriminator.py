"""The config's section is what the discriminator is made with."""

import pytest

from uniapl_cli.commands import components
from uniapl_cli.commands.pretrain_polar import pretrain_polar
from uniapl_cli.discriminators.polar import PolarDiscriminator
from uniapl_cli.discriminators.polar.serialise import Serialiser
from uniapl_cli.errors import ConfigError

LIMITS = ("discriminator.max_length=200", "discriminator.max_response_length=50")
FORMAT = ("pretrain", 200, 50)


def read(format):
    return format.wrapper, format.max_length, format.max_response_length


def test_the_section_reaches_the_scorer_and_the_format(tiny_config):
    options = ["discriminator.path=tiny:polar", "discriminator.batch_tokens=77"]
    options += ["discriminator.share_prefixes=false", "discriminator.wrapper=pretrain"]
    options += ["discriminator.cache_mb=3"]
    config = tiny_config("agrpo", "run", *options, *LIMITS, "discriminator.attention=eager")
    judge = components.discriminator(config, "cpu")
    assert read(judge.polar.serialiser.format) == FORMAT
    assert (judge.scorer.share, judge.scorer.batch_tokens) == (False, 77)
    assert judge.scorer.prefixes.limit == 3 * 2**20
    assert judge.polar.backbone.config._attn_implementation == "eager"


def test_limits_that_cannot_hold_are_refused_at_load(tiny_config):
    with pytest.raises(ConfigError) as caught:
        tiny_config("polar", "run", *LIMITS, "discriminator.max_length=100")
    assert caught.value.key.startswith("discriminator")
    assert caught.value.where == "override 'discriminator.max_length=100'"


@pytest.mark.parametrize("method", ["asft", "agrpo"])
def test_training_leaves_the_discriminator_as_it_is(train_tiny, monkeypatch, method):
    """Section 4.1: it is not updated along with the policy."""
    made, load, score = [], components.discriminator, PolarDiscriminator.score
    scored = []

    def noted(config, device):
        judge = load(config, device)
        made.append((judge, {n: p.clone() for n, p in judge.polar.model.named_parameters()}))
        return judge

    def counted(self, comparisons, **how):
        scored.extend(comparisons)
        return score(self, comparisons, **how)

    monkeypatch.setattr(components, "discriminator", noted)
    monkeypatch.setattr(PolarDiscriminator, "score", counted)
    train_tiny(method, "run", "schedules.lambda_adv=1", "optim.weight_decay=0.1")
    ((judge, before),) = made
    assert scored and before
    for name, parameter in judge.polar.model.named_parameters():
        assert parameter.equal(before[name]), name
        assert parameter.grad is None and not parameter.requires_grad


@pytest.mark.slow
def test_a_discriminator_is_trained_in_the_sections_format(tiny_config, monkeypatch):
    formats, original = set(), Serialiser.__init__

    def noted(self, tokenizer, separator, tail, format):
        original(self, tokenizer, separator, tail, format)
        formats.add(read(format))

    monkeypatch.setattr(Serialiser, "__init__", noted)
    config = tiny_config("polar", "run", *LIMITS, "discriminator.wrapper=pretrain")
    assert set(pretrain_polar(config)["accuracy"])
    assert formats == {FORMAT}
