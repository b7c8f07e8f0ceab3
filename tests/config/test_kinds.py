"""What a kind does not take is refused at load, of every kind: no option is dropped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from keys_in_use import MANDATORY, choice_at, mandatory

from uniapl_cli import load_config
from uniapl_cli.errors import ConfigError
from uniapl_cli.registry import KIND

CHOICES = ("discriminator", "optim", "optim.lr", "schedules.mine", "terms.mine.objective")


def aliens(key: str, kind: str) -> Iterator[str]:
    """The options that only other kinds take."""
    registry = choice_at(key).registry
    own = registry[kind].options.model_fields
    yield from sorted({n for k in registry for n in registry[k].options.model_fields} - set(own))


KINDS = [(key, kind) for key in CHOICES for kind in choice_at(key).registry]


@pytest.mark.slow
@pytest.mark.parametrize(("key", "kind"), KINDS)
def test_an_option_of_another_kind_is_refused(key: str, kind: str) -> None:
    required = {name: MANDATORY[name] for name in mandatory(key, kind)}
    beside = ["terms.mine.source=rollouts"] if key.startswith("terms.") else []
    for alien in aliens(key, kind):
        options = {KIND: kind, **required, alien: 1}
        with pytest.raises(ConfigError) as caught:
            load_config(None, [*beside, f"{key}={json.dumps(options)}"])
        assert caught.value.key == f"{key}.{alien}"
        assert alien not in caught.value.allowed


@pytest.mark.parametrize("key", CHOICES)
def test_a_kind_that_is_not_known_is_told_with_the_nearest(key: str) -> None:
    kind = list(choice_at(key).registry)[0]
    with pytest.raises(ConfigError) as caught:
        load_config(None, [f"{key}={{kind: {kind}x, path: x}}"])
    assert caught.value.key == key
    assert caught.value.suggestion == kind
    assert kind in caught.value.allowed


def test_what_a_lower_file_says_of_another_kind_is_left_out_as_the_error_says(
    tmp_path: Path,
) -> None:
    file = tmp_path / "low.yaml"
    file.write_text("optim: {lr: {kind: cosine, peak: 1e-3}}\n")
    choice = "optim.lr={kind: constant, value: 1e-4}"
    with pytest.raises(ConfigError) as caught:
        load_config(file, [choice])
    assert "optim.lr.peak=null" in caught.value.advice
    assert load_config(file, ["optim.lr.peak=null", choice]).optim.lr.value == 1e-4  # type: ignore[attr-defined]
    file.write_text("optim: {lr: {kind: constant, value: 1e-3, peak: 1e-3}}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    assert "null" not in caught.value.advice
