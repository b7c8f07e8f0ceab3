"""What samples a model: of a policy in training what `generation` names, else this process."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from uniapl_cli.chat import Chat
from uniapl_cli.config.schema import Config
from uniapl_cli.generation import Generator, generators
from uniapl_cli.generation.agreement import check_agreement
from uniapl_cli.generation.shared import WholeWeights
from uniapl_cli.loading import read_model_config
from uniapl_cli.options import Options
from uniapl_cli.precision import Precision
from uniapl_cli.registry import KIND
from uniapl_cli.training.policy import Policy
from uniapl_cli.types import Sampling

log = logging.getLogger("uniapl")

LOCAL = "local"


def is_elsewhere(config: Config) -> bool:
    """Whether a policy in training is sampled outside of this process."""
    return bool(generators.entry(config.generation).traits.get("elsewhere"))


def local_generator(config: Config, model: Any, chat: Chat, key: str | None) -> Generator:
    """Return the generator in this process, over the model that `key` named; None: it is not used.

    Raises ModelError for a model that cannot be sampled here.
    """
    options = config.generation
    if is_elsewhere(config):
        options = generators.options(LOCAL)
        if key is not None:
            kind = getattr(config.generation, KIND)
            log.info("generation.kind=%s is for train: this samples in this process", kind)

    def make(given: Precision) -> Generator:
        return generators.bind(options, precision=given)(model, chat)

    if key is not None:
        with config.blaming(key):
            check_agreement(make, model, config.precision)
    return make(config.precision)


def training_generator(
    config: Config,
    policy: Policy,
    chat: Chat,
    key: str | None,
    scratch: Path,
    sampling: Sampling | None,
) -> Generator:
    """Return the generator of a policy in training.

    scratch: a folder for weights on their way. sampling: of the draws that are trained on, if any.
    """
    if key is None or not is_elsewhere(config):
        with policy.ranks.whole(policy.net):  # it is tried
            inner = local_generator(config, policy.model, chat, key)
        return WholeWeights(inner, policy.ranks, policy.net) if policy.ranks.sharded else inner
    supplied: dict[str, Any] = {"precision": config.precision, "scratch": scratch}
    supplied |= {"sampling": sampling, "ranks": policy.ranks}
    with config.blaming("generation"):
        return generators.bind(config.generation, **supplied)(policy.model, chat)


def check_generator(config: Config, location: str, device: str) -> None:
    """Refuse a generator that cannot sample the policy in `location`. Raises UniAPLError."""
    options = config.generation
    check: Callable[[Options, Any, str, Sampling], None] | None
    check = generators.entry(options).traits.get("check")
    if check is None:
        return
    with config.blaming("generation"):
        check(options, read_model_config(location, config.model.revision), device, config.sampling)
