"""The embedded world's task: write about a topic and follow one to three IFEval instructions."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

from uniapl_cli.tiny.topics import TOPICS

ADJECTIVES = ("old", "calm", "warm", "dark", "small", "great")
KEYWORDS = (
    *("lantern", "ribbon", "marble", "kettle", "candle", "feather", "ladder", "mirror"),
    *("pencil", "basket", "button", "hammer", "blanket", "bottle", "compass", "whistle"),
)
END_PHRASES = ("That is all.", "The end.", "Thank you.", "See you soon.")
OPENINGS = ("Write about the {topic}.", "Tell me about the {topic}.")
MAX_INSTRUCTIONS = 3


class Row(TypedDict):
    """A line of IFEval's layout, with the topic; demonstrations have a response too.

    `reference` is the data set's own answer, where there is one.
    """

    key: str
    prompt: str
    instruction_id_list: list[str]
    kwargs: list[dict[str, Any]]
    topic: str
    response: NotRequired[str]
    reference: NotRequired[str]


@dataclass(frozen=True, slots=True)
class Kind:
    """An instruction: how its kwargs are drawn, and how it is phrased with them."""

    id: str
    phrasings: tuple[str, ...]
    draw: Callable[[random.Random], dict[str, Any]] = lambda rng: {}

    def phrase(self, kwargs: Mapping[str, Any], rng: random.Random) -> str:
        """Put the instruction into words."""
        words = {k: v[0] if isinstance(v, list) else v for k, v in kwargs.items()}
        if "relation" in words:
            words["relation"] = {"less than": "fewer than"}.get(words["relation"], "at least")
        return rng.choice(self.phrasings).format(**words)


def _draw_sentences(rng: random.Random) -> dict[str, Any]:
    relation, numbers = rng.choice((("less than", (2, 3)), ("at least", (3, 4))))
    return {"num_sentences": rng.choice(numbers), "relation": relation}


KINDS = (
    Kind(
        "change_case:english_lowercase",
        ("Use only lowercase letters.", "Write in all lowercase."),
    ),
    Kind(
        "change_case:english_capital",
        ("Use only capital letters.", "Write in all capitals."),
    ),
    Kind(
        "keywords:existence",
        ("Include the word {keywords}.", "Mention the word {keywords}."),
        lambda rng: {"keywords": [rng.choice(KEYWORDS)]},
    ),
    Kind(
        "keywords:forbidden_words",
        ("Avoid the word {forbidden_words}.", "Never say {forbidden_words}."),
        lambda rng: {"forbidden_words": [rng.choice(ADJECTIVES)]},
    ),
    Kind(
        "startend:end_checker",
        ('End with "{end_phrase}"', 'Finish with "{end_phrase}"'),
        lambda rng: {"end_phrase": rng.choice(END_PHRASES)},
    ),
    Kind("punctuation:no_comma", ("Do not use commas.", "Use no commas.")),
    Kind(
        "length_constraints:number_paragraphs",
        ("Write {num_paragraphs} paragraphs split by ***.",),
        lambda rng: {"num_paragraphs": rng.choice((2, 3, 4))},
    ),
    Kind(
        "length_constraints:number_sentences",
        (
            "Write {relation} {num_sentences} sentences.",
            "Use {relation} {num_sentences} sentences.",
        ),
        _draw_sentences,
    ),
    Kind(
        "startend:quotation",
        ("Wrap the answer in double quotes.", "Put it in double quotes."),
    ),
    Kind(
        "detectable_format:number_bullet_lists",
        ("Use exactly {num_bullets} bullet points.", "Make {num_bullets} bullet points."),
        lambda rng: {"num_bullets": rng.choice((2, 3, 4))},
    ),
    Kind("detectable_format:title", ("Add a title in <<brackets>>.",)),
)
IDS = tuple(kind.id for kind in KINDS)

# Within each of these sets one answer could not follow both, or not within the world's length.
EXCLUSIVE = (
    {"change_case:english_lowercase", "change_case:english_capital"},
    {
        "length_constraints:number_paragraphs",
        "length_constraints:number_sentences",
        "detectable_format:number_bullet_lists",
    },
    # A line that opens with a quotation mark is no bullet.
    {"startend:quotation", "detectable_format:number_bullet_lists"},
    # The phrase is a sentence of its own.
    {"startend:end_checker", "length_constraints:number_sentences"},
)


def satisfiable(ids: Sequence[str]) -> bool:
    """Whether an answer can follow all these instructions at once."""
    return len(set(ids)) == len(ids) and all(len(group & set(ids)) <= 1 for group in EXCLUSIVE)


def draw(rng: random.Random) -> Row:
    """Draw a prompt: a topic and one to three instructions that go together. Its key is empty."""
    topic = rng.choice(tuple(TOPICS))
    count = rng.randint(1, MAX_INSTRUCTIONS)
    kinds = rng.sample(KINDS, count)
    while not satisfiable([kind.id for kind in kinds]):
        kinds = rng.sample(KINDS, count)
    kwargs = [kind.draw(rng) for kind in kinds]
    sentences = [kind.phrase(own, rng) for kind, own in zip(kinds, kwargs, strict=True)]
    opening = rng.choice(OPENINGS).format(topic=topic)
    return {
        "key": "",
        "prompt": " ".join((opening, *sentences)),
        "instruction_id_list": [kind.id for kind in kinds],
        "kwargs": kwargs,
        "topic": topic,
    }


def rows(seed: int, count: int, *, name: str = "tiny", besides: Sequence[Row] = ()) -> list[Row]:
    """Draw `count` rows of which no two, and none of `besides`, have the same prompt."""
    rng = random.Random(seed)
    seen = {row["prompt"] for row in besides}
    drawn: list[Row] = []
    while len(drawn) < count:
        row = draw(rng)
        if row["prompt"] not in seen:
            seen.add(row["prompt"])
            drawn.append({**row, "key": f"{name}-{len(drawn)}"})
    return drawn
