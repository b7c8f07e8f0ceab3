"""The oracle: writes answers by templates that follow the instructions, or ignore some."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from uniapl_cli.tiny.task import ADJECTIVES, Row
from uniapl_cli.tiny.topics import TOPICS


def demonstrations(rows: Sequence[Row], seed: int, *, ignore: float = 0.0) -> list[Row]:
    """Return the rows with the oracle's response to each; see `answer` for `ignore`."""
    rng = random.Random(seed)
    return [{**row, "response": answer(row, rng, ignore=ignore)} for row in rows]


def references(rows: Sequence[Row], seed: int) -> list[Row]:
    """Return the rows with the oracle's answer to each as `reference`."""
    rng = random.Random(seed)
    return [{**row, "reference": answer(row, rng)} for row in rows]


def answer(row: Row, rng: random.Random, *, ignore: float = 0.0) -> str:
    """Answer a prompt; each of its instructions is ignored with probability `ignore`."""
    pairs = zip(row["instruction_id_list"], row["kwargs"], strict=True)
    instructions = {id: kwargs for id, kwargs in pairs if rng.random() >= ignore}
    sentences = _sentences(row["topic"], instructions, rng)
    return _dress(_lay_out(sentences, instructions), row["topic"], instructions)


def _count(instructions: Mapping[str, Mapping[str, Any]], rng: random.Random) -> int:
    """Choose how many sentences to write; in a list or in paragraphs each stands alone."""
    if "length_constraints:number_paragraphs" in instructions:
        return int(instructions["length_constraints:number_paragraphs"]["num_paragraphs"])
    if "detectable_format:number_bullet_lists" in instructions:
        return int(instructions["detectable_format:number_bullet_lists"]["num_bullets"])
    if "length_constraints:number_sentences" in instructions:
        bound = instructions["length_constraints:number_sentences"]
        number = int(bound["num_sentences"])
        return number if bound["relation"] == "at least" else rng.randint(1, number - 1)
    return rng.choice((2, 2, 3))


def _sentences(
    topic: str, instructions: Mapping[str, Mapping[str, Any]], rng: random.Random
) -> list[str]:
    """Write the sentences: on the topic, then its things; the keyword and the end come last."""
    avoid = instructions.get("keywords:forbidden_words", {}).get("forbidden_words", [])
    adjectives = [word for word in ADJECTIVES if word not in avoid]
    things = rng.sample(TOPICS[topic], len(TOPICS[topic]))
    comma = "" if "punctuation:no_comma" in instructions else ","
    count = _count(instructions, rng)
    written = [_open(topic, things[0], adjectives, comma, brief=count > 3, rng=rng)]
    written += [_go_on(thing, adjectives, rng) for thing in things[1:count]]
    if "keywords:existence" in instructions:
        keyword = instructions["keywords:existence"]["keywords"][0]
        written[-1] = f"I found a {keyword} near the {things[0]}."
    if "startend:end_checker" in instructions:
        written[-1] += " " + instructions["startend:end_checker"]["end_phrase"]
    return written


def _open(
    topic: str, thing: str, adjectives: list[str], comma: str, *, brief: bool, rng: random.Random
) -> str:
    first, second = rng.sample(adjectives, 2)
    if brief or rng.random() < 0.2:
        return f"The {topic} is {first}."
    return f"The {topic} is {first}{comma} and the {thing} are {second}."


def _go_on(thing: str, adjectives: list[str], rng: random.Random) -> str:
    if rng.random() < 0.3:
        return f"I know the {thing} well."
    return f"The {thing} are {rng.choice(adjectives)}."


def _lay_out(sentences: list[str], instructions: Mapping[str, object]) -> str:
    if "length_constraints:number_paragraphs" in instructions:
        return "\n***\n".join(sentences)
    if "detectable_format:number_bullet_lists" in instructions:
        return "\n".join(f"- {sentence}" for sentence in sentences)
    return " ".join(sentences)


def _dress(text: str, topic: str, instructions: Mapping[str, object]) -> str:
    """Add what goes around the text: the title, the quotation marks, the case of all letters."""
    if "detectable_format:title" in instructions:
        text = f"<<The {topic}>>\n{text}"
    if "startend:quotation" in instructions:
        text = f'"{text}"'
    if "change_case:english_lowercase" in instructions:
        return text.lower()
    return text.upper() if "change_case:english_capital" in instructions else text
