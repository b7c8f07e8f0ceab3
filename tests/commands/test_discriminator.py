"""The config's section is what the discriminator is made with."""

import pytest

from uniapl_cli.build import models
from uniapl_cli.build.polar import pretrain_polar
from uniapl_cli.build.training import train
from uniapl_cli.discriminators.serialise import Format
from uniapl_cli.errors import ConfigError, ModelError

LIMITS = ("discriminator.max_length=200", "discriminator.max_response_length=50")


def test_the_section_reaches_the_scorer_and_the_format(tiny_config):
    options = ["discriminator.path=tiny:polar", "discriminator.batch_tokens=77"]
    options += ["discriminator.share_prefixes=false", "discriminator.wrapper=pretrain"]
    options += ["discriminator.cache_mb=3"]
    config = tiny_config("agrpo", "run", *options, *LIMITS, "discriminator.attention=eager")
    judge = models.discriminator(config)
    assert judge.polar.serialiser.format == Format("pretrain", "id", 200, 50)
    assert (judge.scorer.share, judge.scorer.batch_tokens) == (False, 77)
    assert judge.scorer.prefixes.limit == 3 * 2**20
    assert judge.polar.backbone.config._attn_implementation == "eager"


@pytest.mark.parametrize("make", [train, pretrain_polar])
def test_memory_below_zero_is_refused(tiny_config, make):
    method = "polar" if make is pretrain_polar else "agrpo"
    config = tiny_config(method, "run", "discriminator.cache_mb=-1")
    with pytest.raises(ConfigError, match="discriminator.cache_mb = -1: 0 is the least"):
        make(config, dry_run=True)


def test_limits_that_cannot_hold_are_refused_before_training(tiny_config):
    config = tiny_config("polar", "run", *LIMITS, "discriminator.max_length=100")
    with pytest.raises(ModelError, match="max_length = 100 does not hold two responses"):
        pretrain_polar(config, dry_run=True)


def test_a_discriminator_is_trained_in_the_sections_format(tiny_config, monkeypatch):
    formats = []
    original = Format.__post_init__
    monkeypatch.setattr(
        Format, "__post_init__", lambda self: (original(self), formats.append(self))[0]
    )
    config = tiny_config("polar", "run", *LIMITS, "discriminator.wrapper=pretrain")
    assert set(pretrain_polar(config)["accuracy"])
    assert set(formats) == {Format("pretrain", "id", 200, 50)}
