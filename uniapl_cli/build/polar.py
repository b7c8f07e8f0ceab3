"""A config to the training of a discriminator."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from uniapl_cli.build import data, models
from uniapl_cli.build.checks import STEP, positive
from uniapl_cli.build.locations import model_location
from uniapl_cli.build.method import plan
from uniapl_cli.build.run import check_directory, finished, open_run
from uniapl_cli.build.training import execute, make_optimizer
from uniapl_cli.config import schema
from uniapl_cli.config.load import require
from uniapl_cli.discriminators.polar import PolarDiscriminator, new_polar
from uniapl_cli.discriminators.serialise import Format
from uniapl_cli.precision import weights
from uniapl_cli.runs.directory import RunDirectory
from uniapl_cli.seeding import derive
from uniapl_cli.training.comparisons import Comparisons, PairMaker, corruptions, gather
from uniapl_cli.training.learner import PolarLearner
from uniapl_cli.training.streams import Stream


def pretrain_polar(config: schema.Config, *, dry_run: bool = False) -> dict[str, Any]:
    """Train a POLAR-format discriminator by Bradley-Terry on trajectories of several policies.

    Returns the run's paths and the pair accuracy on the held-out trajectories, by the kind of
    negative, with standard errors.
    """
    require(config, ["run.dir", "polar.init", "training.steps"])
    positive(config, *STEP, "polar.pairs")
    make_optimizer(config)
    method = plan(config, sources=("comparisons",))
    maker = PairMaker(trajectories(config, config.polar.trajectories), config.polar.corruptions)
    heldout = PairMaker(trajectories(config, config.polar.heldout), config.polar.corruptions)
    for name in config.polar.corruptions:
        corruptions[name]
    options = models.polar_options(config.discriminator) | {"revision": None}
    form = Format(**{field.name: options[field.name] for field in fields(Format)})
    stream = Stream(
        "comparisons", maker.trajectories.ids, config.polar.pairs, derive(config.seed, "stream")
    )
    if dry_run:
        return {"prompts": len(stream.items), "negatives": maker.kinds(), "run": config.run.dir}
    run = RunDirectory(Path(config.run.dir))
    check_directory(run, config)
    if not run.finished:
        polar = new_polar(
            model_location(config.polar.init), config.polar.separator, config.polar.tail, form
        )
        learner = PolarLearner(polar, models.device(config.run))
        sources = {"comparisons": Comparisons("comparisons", polar, maker, config.seed)}
        open_run(run, config)
        execute(config, run, learner, method, sources, {"comparisons": stream})
    place = models.device(config.run)
    dtype = weights(config.discriminator.dtype, place, trained=False)
    judge = PolarDiscriminator(run.final, place, dtype, **options)
    accuracy = pair_accuracy(judge, heldout, config.seed)
    run.write("accuracy.json", json.dumps(accuracy, indent=1) + "\n")
    return {**finished(run), "accuracy": accuracy}


def trajectories(config: schema.Config, files: Sequence[str]) -> Any:
    """Read the policies' trajectories; each policy is named by its file."""
    return gather({Path(path).stem: data.examples(config, path) for path in files})


def pair_accuracy(
    judge: PolarDiscriminator, maker: PairMaker, seed: int
) -> dict[str, dict[str, float]]:
    """Return how often the expert's second answer beats each kind of negative, a pair a prompt.

    Ties count half. `se` is the binomial standard error.
    """
    expert = maker.trajectories.policies[0]
    result = {}
    for kind in dict.fromkeys(kind for kind in maker.kinds() if kind != expert):
        rng = random.Random(derive(seed, "accuracy", kind))
        pairs = [maker.make(k, rng, policy=expert, kind=kind) for k in maker.trajectories.ids]
        scores = judge.score([side for pair in pairs for side in pair])
        margins = [a - b for a, b in zip(scores[::2], scores[1::2], strict=True)]
        wins = sum((margin > 0) + 0.5 * (margin == 0) for margin in margins)
        share = wins / len(margins)
        error = math.sqrt(share * (1 - share) / len(margins))
        result[kind] = {"accuracy": share, "se": error, "n": len(margins)}
    return result
