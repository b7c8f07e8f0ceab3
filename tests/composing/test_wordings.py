"""Each wording of each instruction states all its arguments, in words of the project's own."""

import json
import random
import re
from pathlib import Path
from string import Formatter

import pytest

from uniapl_cli.composing import KINDS, OWN
from uniapl_cli.composing.kind import Deck
from uniapl_cli.composing.kinds import GROUPS
from uniapl_cli.composing.lexicon import LANGUAGES
from uniapl_cli.verifiers import verifiers

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
EXISTING = "What do three old friends, who are bakers, want to know about volcanoes in winter?"
# How a reader tells a lower bound from an upper one.
RELATIONS = {
    "at least": r"at least|no fewer than|a minimum of",
    "less than": r"(?<!no )fewer than|less than|under",
}
# Quoted in wordings without being an argument.
CONSTANTS = {
    "detectable_format:constrained_response": {
        "My answer is yes.", "My answer is no.", "My answer is maybe.",
    },
}  # fmt: skip
# What the prompt itself states, above the wording.
ABOVE = "prompt_to_repeat"


def draws(kind, count=40):
    rngs = (random.Random(number) for number in range(count))
    return [kind.draw(Deck(rng, EXISTING)) for rng in rngs]


def said(kind):
    return [(kwargs, text) for kwargs in draws(kind) for text in kind.all_wordings(kwargs)]


def flat(kwargs):
    return [one for v in kwargs.values() for one in (v if isinstance(v, list) else [v])]


def test_they_are_the_registered_instructions_of_ifeval_and_ifevalg():
    registered = {
        group: {id for id in verifiers if verifiers[id].definition.__module__.split(".")[2] == room}
        for group, room in (("ifeval", "ifeval"), ("ifevalg", "ifevalg"))
    }
    # Two of IFEvalG's are IFEval's own functions under another name.
    same = {"keywords:word_count_different_numbers", "letters:letter_counting2"}
    assert set(GROUPS["ifeval"]) == registered["ifeval"] - same
    assert set(GROUPS["ifevalg"]) == registered["ifevalg"] | same
    assert (len(GROUPS["ifeval"]), len(GROUPS["ifevalg"])) == (25, 29)
    assert not any(verifiers[id].traits.get("evaluation") for id in KINDS)


@pytest.mark.parametrize("id", KINDS)
def test_a_wording_has_a_place_for_each_argument(id):
    kind = KINDS[id]
    assert len(set(kind.wordings)) == len(kind.wordings) >= 3
    for kwargs in draws(kind, 5):
        relation = {name for name in kwargs if name.endswith("relation")}
        number = {name for name, value in kwargs.items() if isinstance(value, int)}
        stated = kwargs.keys() - relation - (number if relation else set()) - {ABOVE}
        for wording in kind.wordings:
            fields = [name for _, name, _, _ in Formatter().parse(wording) if name]
            assert sorted(fields) == sorted([*stated, *(["bound"] if relation else [])])


@pytest.mark.parametrize("id", KINDS)
def test_its_arguments_can_be_read_back(id):
    """The numbers, the quoted texts and the relation: all of them, and no other."""
    for kwargs, text in said(KINDS[id]):
        kwargs = {name: value for name, value in kwargs.items() if name != ABOVE}
        relation = {value for name, value in kwargs.items() if name.endswith("relation")}
        language = {kwargs.pop("language", None)} - {None}
        quoted = re.findall(r'"([^"]*)"', text)
        bare = re.sub(r'"[^"]*"', "", text)
        texts = [v for v in flat(kwargs) if isinstance(v, str) and v not in relation]
        assert sorted(set(quoted) - CONSTANTS.get(id, set())) == sorted(texts), text
        numbers = [str(v) for v in flat(kwargs) if isinstance(v, int)]
        assert sorted(re.findall(r"\d+", bare)) == sorted(numbers), text
        found = {name for name, how in RELATIONS.items() if re.search(rf"\b(?:{how}) \d", bare)}
        assert found == relation, text
        assert {code for code, name in LANGUAGES.items() if name in bare} == language, text
        assert CONSTANTS.get(id, set()) <= set(quoted)


# How a reader tells arguments of one type apart: each by what stands beside it.
BESIDE = {
    "keywords:keyword_specific_position": {
        "n": r"sentence (?:number )?(\d+)", "m": r"(?:word number|place) (\d+)",
    },
    "count:counting_composition": {
        "n_sent": r"(\d+) sentences|sentences in each: (\d+)",
        "n_words": r"(\d+) words|counted too: (\d+)",
    },
    "length_constraints:nth_paragraph_first_word": {
        "num_paragraphs": r"there are (\d+)|Paragraphs: (\d+)|text of (\d+)",
        "nth_paragraph": r"(?:number|paragraph) (\d+)",
    },
    "new:copy_span_idx": {
        "n_start": r"(?:from|from index|leave out the first) (\d+)",
        "n_end": r"(?:including, index|to|Take the first) (\d+)",
    },
    "count:count_increment_word": {
        "keyword1": r'(?:Say|needs|Mention) "(\w+)"',
        "keyword2": r'(?:and|but) "(\w+)"',
    },
}  # fmt: skip


def alike(kwargs):
    """Arguments of one type that a reader could take for each other."""
    plain = {name: value for name, value in kwargs.items() if name != ABOVE}
    of_type = [type(value) for name, value in plain.items() if not name.endswith("relation")]
    return any(of_type.count(one) > 1 for one in (int, str))


@pytest.mark.parametrize("id", [id for id in KINDS if alike(draws(KINDS[id], 1)[0])])
def test_arguments_of_one_type_are_told_apart(id):
    for kwargs, text in said(KINDS[id]):
        for name, how in BESIDE[id].items():
            found = [next(filter(None, groups)) for groups in _all(how, text)]
            assert found[:1] == [str(kwargs[name])], (name, text)


def _all(how, text):
    return [match.groups() for match in re.finditer(how, text)]


def test_a_bound_is_said_beside_its_number():
    kind, kwargs = KINDS["keywords:frequency"], {"keyword": "otter", "frequency": 4}
    for relation, how in RELATIONS.items():
        texts = kind.all_wordings({**kwargs, "relation": relation})
        assert len(texts) == 3 * len(how.split("|"))
        assert all(re.search(rf"(?:{how}) 4\b", text) for text in texts)


@pytest.mark.parametrize("id", [id for id in KINDS if KINDS[id].above])
def test_what_is_copied_stands_above(id):
    """So no wording may speak of the question without saying where it ends."""
    assert all("above" in wording or "copy" in wording.lower() for wording in KINDS[id].wordings)


def test_a_wording_ends_with_a_mark_of_its_own():
    """Not with an argument, which may have none: the next instruction may follow on its line."""
    for kind in KINDS.values():
        assert all(re.search(r"[.](\]|>>|\")?$", wording) for wording in kind.wordings), kind.id


def test_the_marks_that_a_verifier_looks_for_are_stated():
    marks = {
        "length_constraints:number_paragraphs": "***",
        "paragraphs:paragraphs": "***",
        "count:counting_composition": "***",
        "copy:copying_multiple": "******",
        "combination:two_responses": "******",
    }
    for id, mark in marks.items():
        assert all(mark in wording for wording in KINDS[id].wordings), id


@pytest.mark.parametrize(
    ("question", "suits"),
    [
        ("Is hail worth the effort?", True),
        ("I own a shed. Should I paint it?", True),
        ("Have you\nseen it? ", True),
        ("Where does one meet envy?", False),
        ("Is it so? Say why.", False),
        ("Is it so? Or what else is it?", False),
        ("Is hail round", False),
        ("Island life: what is it?", False),
    ],
)
def test_a_verdict_is_asked_for_where_there_is_one(question, suits):
    assert KINDS["detectable_format:constrained_response"].fits(question) == suits


def test_there_are_thousands_of_questions():
    assert len(OWN) == len(set(OWN)) >= 2000
    assert sum(question.endswith("?") for question in OWN) >= 400
    assert not any("{" in question or "  " in question for question in OWN)


def prompts(file):
    lines = (SHARED / file).read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="the reference data are not beside this checkout")
@pytest.mark.parametrize("size", [6, 13])
def test_no_wording_and_no_question_is_ifevals(size):
    texts = [row["prompt"] for row in prompts("ifeval/input_data.jsonl")]
    texts += [row["messages"][0]["content"] for row in prompts("if_multi/quoted_rows.jsonl")]
    mine = [text for kind in KINDS.values() for _, text in said(kind)[:60]]
    grams = {gram for text in texts for gram in _grams(text, size)}
    shared = {gram for text in [*mine, *OWN] for gram in _grams(text, size)} & grams
    assert shared == set()


def _grams(text, size):
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[at : at + size]) for at in range(len(words) - size + 1)}
