"""Pairs that train a discriminator, from the responses of several policies to the same prompts.

A pair is (reference, positive) against (reference, negative): reference and positive come from one
policy, the negative from another or from a broken copy of the first's (POLAR, section 3.3).
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from uniapl_cli.batches import PairBatch
from uniapl_cli.discriminators import Discriminator
from uniapl_cli.discriminators.polar.polar import PolarModel
from uniapl_cli.errors import ConfigError, DataError
from uniapl_cli.options import Count, key
from uniapl_cli.registry import NameOf, Registry
from uniapl_cli.seeding import derive
from uniapl_cli.sources.source import Parts, SourceBatch, SourceOptions, StepContext, sources
from uniapl_cli.tensors import pad_ids
from uniapl_cli.types import Comparison, Example

# (text, another prompt's text, rng) -> a broken copy of the text
corruptions: Registry[Callable[[str, str, random.Random], str]] = Registry("corruption")


@corruptions.register("shuffle")
def shuffle(text: str, other: str, rng: random.Random) -> str:
    """Put the words in another order."""
    words = text.split()
    rng.shuffle(words)
    return " ".join(words)


@corruptions.register("drop")
def drop(text: str, other: str, rng: random.Random) -> str:
    """Leave out three words of ten."""
    return " ".join(word for word in text.split() if rng.random() >= 0.3)


@corruptions.register("repeat")
def repeat(text: str, other: str, rng: random.Random) -> str:
    """Say one word of three twice."""
    words = ([word] * (2 if rng.random() < 0.35 else 1) for word in text.split())
    return " ".join(word for group in words for word in group)


@corruptions.register("swap")
def swap(text: str, other: str, rng: random.Random) -> str:
    """Answer another prompt."""
    return other


@corruptions.register("splice")
def splice(text: str, other: str, rng: random.Random) -> str:
    """Go over to another prompt's answer in the middle."""
    words, others = text.split(), other.split()
    return " ".join([*words[: len(words) // 2], *others[len(others) // 2 :]])


@dataclass(frozen=True)
class Trajectories:
    """Responses of several policies to the same prompts.

    prompts: {prompt id: text}. answers: {policy: {prompt id: responses}}.
    """

    prompts: Mapping[str, str]
    answers: Mapping[str, Mapping[str, Sequence[str]]]

    @property
    def policies(self) -> list[str]:
        """The policies' names; the first is the expert."""
        return list(self.answers)

    @property
    def ids(self) -> list[str]:
        """The prompts' ids."""
        return list(self.prompts)


def load_trajectories(files: Mapping[str, Iterable[Example]]) -> Trajectories:
    """Read each policy's rows; keep the prompts that all have. Raises DataError if none is left."""
    if len(files) < 2:
        problem = f"trajectories of two policies or more are needed, got {len(files)}"
        raise DataError(problem, got=list(files))
    prompts: dict[str, str] = {}
    answers: dict[str, dict[str, list[str]]] = {}
    for policy, examples in files.items():
        responses: dict[str, list[str]] = defaultdict(list)
        for example in examples:
            if example.response is None:
                advice = "Run uniapl teacher-gen on these prompts"
                raise DataError("no 'response' to compare", advice, where=example.origin)
            prompts[example.id] = example.prompt_text
            responses[example.id].append(example.response)
        answers[policy] = responses
    shared = [key for key in prompts if all(key in own for own in answers.values())]
    if not shared:
        problem = f"the policies {', '.join(files)} share no prompt"
        raise DataError(problem, "Rows of one prompt have one 'key'", got=list(files))
    return Trajectories({key: prompts[key] for key in shared}, answers)


@dataclass(frozen=True)
class PairMaker:
    """Draws pairs. Half of the references are the expert's, as they are when the anchor scores."""

    trajectories: Trajectories
    corruptions: Sequence[str] = ()

    def kinds(self) -> list[str]:
        """Return the kinds of negative answer: a policy's name, or a corruption's."""
        return [*self.trajectories.policies, *self.corruptions]

    def make(
        self, key: str, rng: random.Random, *, policy: str | None = None, kind: str | None = None
    ) -> tuple[Comparison, Comparison]:
        """Return (better, worse) for a prompt; a `policy` or `kind` of None is drawn."""
        answers, policies = self.trajectories.answers, self.trajectories.policies
        if policy is None:
            policy = policies[0] if rng.random() < 0.5 else rng.choice(policies)
        kind = kind or rng.choice([kind for kind in self.kinds() if kind != policy])
        own = answers[policy][key]
        reference, positive = rng.sample(own, 2) if len(own) > 1 else (own[0], own[0])
        if kind in corruptions:
            other = rng.choice([i for i in rng.sample(self.trajectories.ids, 2) if i != key])
            text = rng.choice(own)
            negative = corruptions[kind].definition(text, rng.choice(answers[policy][other]), rng)
        else:
            negative = rng.choice(answers[kind][key])
        prompt = self.trajectories.prompts[key]
        return (
            Comparison(prompt, reference, positive, key),
            Comparison(prompt, reference, negative, key),
        )


# Named here: inside the class, `corruptions` is its field.
Corruption = Annotated[str, NameOf(corruptions)]


@sources.register("comparisons", batch=PairBatch, stream="comparisons", verb="pretrain-polar")
class ComparisonsOptions(SourceOptions):
    """Pairs of answers by several policies; the one by the reference's own policy is better."""

    pairs_per_step: Count = key(32, "pairs a step")
    corruptions: list[Corruption] = key(
        [], "broken copies that are negatives too; see `uniapl list corruptions`"
    )

    def per_step(self) -> int:
        """Return how many pairs a step takes, one a prompt."""
        return self.pairs_per_step

    def make(self, name: str, parts: Parts) -> Comparisons:
        """Raise ConfigError: only `uniapl pretrain-polar` can draw from this source."""
        raise ConfigError(
            f"source '{name}' trains a discriminator, not a policy", "Use uniapl pretrain-polar"
        )


@dataclass(frozen=True)
class Comparisons:
    """Batches of pairs for training, a pair a prompt of the stream."""

    stream: str
    polar: PolarModel
    maker: PairMaker
    seed: int

    def draw(self, context: StepContext) -> SourceBatch:
        """Make and encode the pairs of a step."""
        pairs = [
            self.maker.make(key, random.Random(derive(self.seed, "pairs", context.step, slot)))
            for slot, key in enumerate(context.items)
        ]
        rows = [self.polar.encode(side) for pair in pairs for side in pair]
        tokens, mask = pad_ids(rows, self.polar.tokenizer.pad_token_id or 0)
        return SourceBatch(
            PairBatch(tokens.unflatten(0, (-1, 2)), mask.sum(1).unflatten(0, (-1, 2)))
        )


def pair_accuracy(
    discriminator: Discriminator, maker: PairMaker, seed: int
) -> dict[str, dict[str, float]]:
    """Return how often the expert's second answer beats each kind of negative, a pair a prompt.

    Ties count half. `se` is the binomial standard error.
    """
    expert = maker.trajectories.policies[0]
    result = {}
    for kind in dict.fromkeys(kind for kind in maker.kinds() if kind != expert):
        rng = random.Random(derive(seed, "accuracy", kind))
        pairs = [maker.make(key, rng, policy=expert, kind=kind) for key in maker.trajectories.ids]
        scores = discriminator.score([side for pair in pairs for side in pair])
        margins = [a - b for a, b in zip(scores[::2], scores[1::2], strict=True)]
        wins = sum((margin > 0) + 0.5 * (margin == 0) for margin in margins)
        share = wins / len(margins)
        error = math.sqrt(share * (1 - share) / len(margins))
        result[kind] = {"accuracy": share, "se": error, "n": len(margins)}
    return result
