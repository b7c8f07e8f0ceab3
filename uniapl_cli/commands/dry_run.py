"""What a training run would do, for --dry-run: from its data and the headers of its weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from uniapl_cli.commands.device import arithmetic
from uniapl_cli.commands.parts import corrected, needs_reference
from uniapl_cli.commands.updating import state_bytes
from uniapl_cli.commands.validation import sampling_of, times
from uniapl_cli.commands.validation_rows import HeldOut
from uniapl_cli.config.schema import Config
from uniapl_cli.data.encode import Encoded, lengths
from uniapl_cli.loading.weights import read_headers
from uniapl_cli.training.streams import Stream
from uniapl_cli.training.terms import Plan

GIB = 2**30


def describe(
    config: Config,
    method: Plan,
    streams: Mapping[str, Stream[Any]],
    location: str,
    heldout: HeldOut | None = None,
) -> dict[str, Any]:
    """Return what a run would do."""
    validation = {} if heldout is None else {"validation": validated(config, heldout)}
    weighed = corrected(config, method)
    return {
        "method": config.method,
        "computed in": arithmetic(config),
        "terms": method.weights(0),
        **({"correction": weighed} if weighed else {}),
        "data": {name: len(stream.items) for name, stream in streams.items()},
        "longest row": longest(config, method, streams),
        "steps": config.training.steps,
        **validation,
        "run": config.run.dir,
        "takes": taken(config, location, needs_reference(config, method)),
    }


def longest(
    config: Config, method: Plan, streams: Mapping[str, Stream[Any]]
) -> dict[str, dict[str, int]]:
    """Return the tokens of the longest prompt and of the longest response, by active source."""
    found = {}
    for name in dict.fromkeys(term.source for term in method.ever_active):
        items = streams[config.stream_of(name)].items
        if not len(items) or not isinstance(items[0], Encoded):
            continue
        of_answers = (lengths(items, answer) for answer in config.source(name).answers)
        answers = [tokens for own in of_answers for tokens in own if tokens is not None]
        sampled = [config.sampling.max_new_tokens] if config.is_written(name) else []
        prompt = max(tokens or 0 for tokens in lengths(items, "prompt"))
        found[name] = {"prompt": prompt, "response": max(answers + sampled, default=0)}
    return found


def validated(config: Config, heldout: HeldOut) -> dict[str, Any]:
    """Return how often held-out rows are measured, how many, and how many are trained on too."""
    shared = {name: one.found for name, one in heldout.shared.items() if one.found}
    turns = sum(len(i.turns) for t in heldout.tasks if not t.compares_options for i in t.items)
    answers = (len(heldout.prompts) + turns) * config.validation.samples
    return {
        "times": times(config),
        "rows": heldout.counts(),
        "sampled tokens at most, a time": answers * sampling_of(config).max_new_tokens,
        **({"rows that share words with the training rows": shared} if shared else {}),
        "best": config.validation.best,
    }


def taken(config: Config, location: str, reference: bool) -> dict[str, Any]:
    """Return the GiB that stay from step to step, and those of disk; {} if no weights are here.

    What is computed with comes on top: `uniapl plan` says how much.
    """
    numbers = sum(math.prod(header.shape) for header in read_headers(location).values())
    state = state_bytes(config)
    if not numbers or state is None or config.model.adapter is not None:
        return {}
    run = config.run
    made = -(-config.training.steps // run.save_every)
    checkpoint = (4 + state) * numbers / GIB
    return {
        "weights, gradients, optimizer, GiB": (8 + state + 4 * reference) * numbers / GIB,
        "checkpoints on disk, GiB": min(made, run.keep_checkpoints + 1) * checkpoint,
        "the peak and the time": f"uniapl plan {config.method}, with the same words",
    }
