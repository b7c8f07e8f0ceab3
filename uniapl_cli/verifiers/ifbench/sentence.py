"""sentence:* of IFBench: what each sentence has more of than the one before, or in it."""

from __future__ import annotations

import re
from itertools import pairwise

from pydantic import NonNegativeInt

from uniapl_cli.verifiers.ifbench.marks import EDGES, without_marks
from uniapl_cli.verifiers.kwargs import Text
from uniapl_cli.verifiers.patterns import occurs
from uniapl_cli.verifiers.registry import verifiers
from uniapl_cli.verifiers.text import sentences


@verifiers.register("sentence:alliteration_increment", evaluation=True)
def alliteration_increment(response: str) -> bool:
    """Each sentence has more words that begin like a neighbour than the one before it.

    Runs of such words are added up. An error kept: a single sentence passes without any.
    """
    counts = [_alliterative(sentence) for sentence in sentences(response)]
    return all(one < other for one, other in pairwise(counts))


def _alliterative(sentence: str) -> int:
    bare = (word.lstrip(EDGES) for word in sentence.lower().split())
    first = [word[0] for word in bare if word]
    same = [one == other for one, other in pairwise(first)]
    runs = sum(now and not before for before, now in pairwise([False, *same]))
    return sum(same) + runs


@verifiers.register("sentence:increment", evaluation=True)
def increment(response: str, *, small_n: NonNegativeInt) -> bool:
    """Each sentence has exactly `small_n` words more than the one before it."""
    counts = [len(without_marks(sentence).split()) for sentence in sentences(response)]
    return all(other == one + small_n for one, other in pairwise(counts))


@verifiers.register("sentence:keyword", evaluation=True)
def keyword(response: str, *, word: Text, N: NonNegativeInt) -> bool:
    """The word stands in the Nth sentence, in any case; as officially, the 0th is the last one."""
    split = sentences(response)
    if len(split) < N:
        return False
    return occurs(re.escape(word), split[N - 1], before=r"\b", after=r"\b")
