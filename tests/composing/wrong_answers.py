"""For each instruction an answer that does not follow it, by as little as there can be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from made_answers import IN


def wrong(row: Mapping[str, Any]) -> str:
    """An answer to a row of one instruction that misses it."""
    (id,), (kwargs,) = row["instruction_id_list"], row["kwargs"]
    return WRONG[id](kwargs)


def _short(count: str, relation: str, unit: Callable[[Mapping[str, Any]], str]) -> Any:
    """One too few where there is a lower bound, and just too many where there is an upper one."""

    def answer(kwargs: Mapping[str, Any]) -> str:
        number = kwargs[count] - (kwargs[relation] == "at least")
        return unit(kwargs) * number or "-"

    return answer


_often = _short("frequency", "relation", lambda kwargs: f"{kwargs['keyword']} ")
_letter = _short("let_frequency", "let_relation", lambda kwargs: kwargs["letter"])
WRONG: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "keywords:existence": lambda k: "So " + " ".join(k["keywords"][1:]),
    "keywords:frequency": _often,
    "keywords:word_count_different_numbers": _often,
    "keywords:forbidden_words": lambda k: f"So, {k['forbidden_words'][-1]}.",
    "keywords:exclude_word_harder": lambda k: f"So {k['keyword']} it is.",
    "keywords:word_once": lambda k: f"{k['keyword']} {k['keyword']}",
    "count:count_increment_word": lambda k: f"{k['keyword1']} {k['keyword2']}",
    "keywords:keyword_specific_position": lambda k: (
        "So it is. " * (k["n"] - 1) + "so " * k["m"] + k["keyword"]
    ),
    "keywords:palindrome": lambda k: "level, bread",
    "keywords:no_adjacent_consecutive": lambda k: "so two ants bite",
    "length_constraints:number_words": _short("num_words", "relation", lambda k: "so "),
    "length_constraints:number_sentences": _short(
        "num_sentences", "relation", lambda k: "It is so. "
    ),
    "keywords:letter_frequency": _letter,
    "letters:letter_counting2": _letter,
    "letters:letter_counting": _short("N", "relation", lambda k: "s"),
    "count:lowercase_counting": lambda k: "so " * (k["N"] + 1),
    "change_case:capital_word_frequency": _short(
        "capital_frequency", "capital_relation", lambda k: "SO "
    ),
    "count:count_unique": lambda k: "So it is. It is.",
    "count:counting_composition": lambda k: "\n***\n".join(
        [("so " * (k["n_words"] - 1) + ". ") * (k["n_sent"] + 1)] * 3
    ),
    "length_constraints:number_paragraphs": lambda k: "\n***\n".join(
        ["So."] * (k["num_paragraphs"] - 1)
    ),
    "length_constraints:nth_paragraph_first_word": lambda k: "\n\n".join(
        ["So it is."] * k["num_paragraphs"]
    ),
    "paragraphs:paragraphs": lambda k: "One\n\nTwo",
    "paragraphs:paragraphs2": lambda k: "One\n\nTwo\n\nThree",
    "detectable_format:number_bullet_lists": lambda k: "* so\n" * (k["num_bullets"] + 1),
    "detectable_format:number_highlighted_sections": lambda k: (
        "*so* " * (k["num_highlights"] - 1) + "so"
    ),
    "detectable_format:multiple_sections": lambda k: (
        f"{k['section_spliter']} 1\nso\n" * (k["num_sections"] - 1)
    ),
    "detectable_format:title": lambda k: "<so>",
    "detectable_format:json_format": lambda k: 'Here: {"so": 1}',
    "detectable_format:sentence_hyphens": lambda k: "It is so. It is so.",
    "detectable_format:square_brackets": lambda k: "[so] it [is.]",
    "detectable_format:bigram_wrapping": lambda k: "<<so it>> is now",
    "detectable_format:constrained_response": lambda k: "Yes.",
    "combination:two_responses": lambda k: "So.\n******\nSo.",
    "combination:repeat_prompt": lambda k: "So. " + k["prompt_to_repeat"],
    "startend:end_checker": lambda k: f"{k['end_phrase']} So",
    "startend:quotation": lambda k: '"So it is',
    "first_word:first_word_answer": lambda k: f"So {k['first_word']} it is",
    "first_word:first_word_sent": lambda k: f"{k['first_word']} it is. So is this.",
    "last_word:last_word_answer": lambda k: f"It is {k['last_word']} so.",
    "last_word:last_word_sent": lambda k: f"It is so. It is {k['last_word']}.",
    "keywords:start_end": lambda k: "So it is so.",
    "detectable_content:postscript": lambda k: "PS so",
    "change_case:english_capital": lambda k: "THE SUN IS HOT AND THE SEA IS CALm",
    "change_case:english_lowercase": lambda k: "The sun is hot and the sea is calm",
    "punctuation:no_comma": lambda k: "So, it is",
    "punctuation:punctuation_dot": lambda k: "So it is.",
    "punctuation:punctuation_exclamation": lambda k: "So it is!",
    "language:response_language": lambda k: IN["fr" if k["language"] == "de" else "de"],
    "detectable_content:number_placeholders": lambda k: (
        "[so] " * (k["num_placeholders"] - 1) + "so"
    ),
    "copy:copy": lambda k: k["prompt_to_repeat"] + " So",
    "copy:copying_simple": lambda k: k["prompt_to_repeat"][:-1],
    "copy:copying_multiple": lambda k: "\n******\n".join([k["prompt_to_repeat"]] * (k["N"] + 1)),
    "new:copy_span_idx": lambda k: k["prompt_to_repeat"][k["n_start"] : k["n_end"]] + "x",
    "copy:repeat_phrase": lambda k: f"{k['phrase']}\n" * k["small_n"],
}
