"""Which instructions may meet in a row, and which arguments forbid it."""

import itertools
import random

import pytest

from uniapl_cli.composing import KINDS
from uniapl_cli.composing.kind import Need
from uniapl_cli.composing.kinds import GROUPS
from uniapl_cli.composing.together import ALONE, ONLY_WITH, PAIRS, exclusive, satisfiable
from uniapl_cli.verifiers import Case, Judge, trainable

# Where IFEval's authors keep instructions apart (arXiv 2311.07911, their registry): pairs, and
# those that go with a few others only.
APART = [
    ("response_language", "multiple_sections existence frequency forbidden_words end_checker"),
    ("response_language", "english_capital english_lowercase"),
    ("number_paragraphs", "nth_paragraph_first_word number_sentences"),
    ("multiple_sections", "number_highlighted_sections response_language"),
    ("capital_word_frequency", "english_capital english_lowercase"),
    ("english_lowercase", "english_capital"),
    ("quotation", "title"),
]
ONLY = {
    "constrained_response": "",
    "json_format": "forbidden_words existence",
    "two_responses": "forbidden_words existence response_language title no_comma",
    "repeat_prompt": "existence title no_comma",
}
FULL = {id.partition(":")[2]: id for id in GROUPS["ifeval"]}


def test_it_does_not_matter_which_of_two_is_asked_first():
    for one, other in itertools.product(KINDS, KINDS):
        assert exclusive(one, other) == exclusive(other, one)
    assert all(exclusive(id, id) for id in KINDS)


def test_what_is_named_is_known():
    named = ALONE | ONLY_WITH.keys() | {id for pair in PAIRS for id in pair}
    named |= {id for ids in ONLY_WITH.values() for id in ids}
    assert named <= KINDS.keys()
    assert all(len(pair) == 2 for pair in PAIRS)


def meets(one, other):
    """Whether any arguments let two instructions meet."""
    if exclusive(one, other):
        return False
    question = "Why do travellers in the mountains like to talk about their winter boots?"
    rng = random.Random(0)
    return any(satisfiable(drawn(rng, question, one, other)) for _ in range(30))


def drawn(rng, question, *ids):
    from uniapl_cli.composing.kind import Deck

    deck = Deck(rng, question)
    return [KINDS[id].need(KINDS[id].draw(deck)) for id in ids]


@pytest.mark.parametrize(("one", "others"), APART)
def test_what_ifeval_keeps_apart_does_not_meet(one, others):
    for other in others.split():
        assert not meets(FULL[one], FULL[other]), other


@pytest.mark.parametrize(("one", "others"), ONLY.items())
def test_what_goes_with_few_in_ifeval_meets_no_other_of_it(one, others):
    for name, id in FULL.items():
        assert name in others.split() or not meets(FULL[one], id), name


def test_each_instruction_but_those_that_stand_alone_meets_several():
    for id in KINDS:
        met = [other for other in KINDS if meets(id, other)]
        assert (len(met) == 0) if id in ALONE else (len(met) >= 3), id


def need(id, **kwargs):
    return KINDS[id].need(kwargs)


END = {"end_phrase": "Good luck with it!"}
LONG = {"num_words": 100, "relation": "at least"}


@pytest.mark.parametrize(
    "needs",
    [
        # a mark that one asks for and the other forbids
        [need("startend:end_checker", **END), need("punctuation:punctuation_exclamation")],
        [
            need("startend:end_checker", end_phrase="The rest is up to you."),
            need("punctuation:punctuation_dot"),
        ],
        [
            need("detectable_content:postscript", postscript_marker="P.S."),
            need("punctuation:punctuation_dot"),
        ],
        [
            need("combination:repeat_prompt", prompt_to_repeat="Well, is it so?"),
            need("punctuation:no_comma"),
        ],
        # a word likewise
        [
            need("startend:end_checker", end_phrase="what a great day"),
            need("keywords:forbidden_words", forbidden_words=["great"]),
        ],
        # more words than there may be
        [
            need("length_constraints:number_words", **LONG),
            need("length_constraints:number_sentences", num_sentences=4, relation="less than"),
        ],
        [
            need("letters:letter_counting", N=200, relation="less than"),
            need("length_constraints:number_sentences", num_sentences=12, relation="at least"),
        ],
        [
            need("detectable_format:multiple_sections", section_spliter="Part", num_sections=5),
            need("length_constraints:number_words", num_words=40, relation="less than"),
        ],
        # one letter, bounded from both sides
        [
            need("keywords:letter_frequency", letter="b", let_frequency=3,
                 let_relation="less than"),
            need("letters:letter_counting2", letter="b", let_frequency=9,
                 let_relation="at least"),
        ],
        # a letter or capitals in what must be there
        [
            need("keywords:letter_frequency", letter="p", let_frequency=3,
                 let_relation="less than"),
            need("keywords:existence", keywords=["pepper"]),
        ],
        [
            need("detectable_format:multiple_sections", section_spliter="PART", num_sections=4),
            need("change_case:capital_word_frequency", capital_frequency=4,
                 capital_relation="less than"),
        ],
        # the same place
        [
            need("first_word:first_word_answer", first_word="Today"),
            need("length_constraints:nth_paragraph_first_word", num_paragraphs=2,
                 nth_paragraph=1, first_word="Perhaps"),
        ],
    ],
)  # fmt: skip
def test_arguments_can_contradict_each_other(needs):
    assert all(satisfiable([one]) for one in needs)
    assert not satisfiable(needs) and not satisfiable(needs[::-1])


def test_other_arguments_of_the_same_instructions_do_not():
    assert satisfiable(
        [
            need("first_word:first_word_answer", first_word="Today"),
            need("length_constraints:nth_paragraph_first_word", num_paragraphs=2,
                 nth_paragraph=2, first_word="Perhaps"),
            need("length_constraints:number_words", num_words=60, relation="less than"),
        ]
    )  # fmt: skip
    silent = need("startend:end_checker", end_phrase="so much for that")
    assert satisfiable([silent, need("punctuation:punctuation_dot")])


def test_more_instructions_never_help():
    """What cannot be followed cannot be followed with anything added."""
    rng, question = random.Random(1), "Which of the old stories do sailors tell in the harbour?"
    ids = [id for id in KINDS if id not in ALONE]
    for _ in range(300):
        needs = drawn(rng, question, *rng.sample(ids, 4))
        if not satisfiable(needs[:3]):
            assert not satisfiable(needs)
    assert satisfiable([]) and satisfiable([Need()])


@pytest.mark.parametrize(
    ("id", "kwargs"),
    [
        ("paragraphs:paragraphs2", {}),
        (
            "length_constraints:nth_paragraph_first_word",
            {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "Perhaps"},
        ),
    ],
)
def test_a_title_would_be_one_of_the_paragraphs_that_blank_lines_part(id, kwargs):
    cases = [
        Case(f"{title}Today it is so.\n\nPerhaps it is so.", trainable([id], [kwargs]))
        for title in ("", "<<The sun>>\n\n")
    ]
    assert [verdict.strict for verdict in Judge()(cases, loose=False)] == [(True,), (False,)]
    assert exclusive(id, "detectable_format:title")


def test_one_thing_is_bounded_once():
    """A keyword's count has one function under two names; a length is of words or of letters."""
    assert exclusive("keywords:frequency", "keywords:word_count_different_numbers")
    assert exclusive("letters:letter_counting", "length_constraints:number_words")
