import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uniapl_cli.errors import UniAPLError
from uniapl_cli.types import Constraint
from uniapl_cli.verifiers import constraint, judge, verifiers
from uniapl_cli.verifiers.verdict import light_edits

SOME = [
    constraint("punctuation:no_comma"),
    constraint("startend:quotation"),
    constraint("detectable_format:title"),
    constraint("detectable_format:json_format"),
    constraint("combination:two_responses"),
    constraint("detectable_format:number_bullet_lists", {"num_bullets": 1}),
    constraint("length_constraints:number_paragraphs", {"num_paragraphs": 2}),
    constraint("length_constraints:number_words", {"num_words": 3, "relation": "less than"}),
    constraint("length_constraints:number_sentences", {"num_sentences": 2, "relation": "at least"}),
    constraint("startend:end_checker", {"end_phrase": "a."}),
]
responses = st.one_of(st.text(), st.text('a."*\n -<>,é'))


@pytest.fixture
def broken():
    @verifiers.register("test:broken")
    def fail(response: str) -> bool:
        raise ZeroDivisionError("nothing to divide")

    yield
    del verifiers._entries["test:broken"]


def test_a_verdict_is_in_the_constraints_order():
    verdict = judge("Sure, here:\nno comma", SOME[:2])
    assert verdict.strict == (False, False)
    assert verdict.loose == (True, False)
    assert not verdict.passed


@pytest.mark.parametrize(
    ("response", "id"),
    [
        ('*"quoted"*', "startend:quotation"),
        ('Sure!\n"quoted"', "startend:quotation"),
        ('"quoted"\nAnything else?', "startend:quotation"),
        ('Sure!\n"quoted"\nAnything else?', "startend:quotation"),
        ('Sure!\n*"quoted"*\nAnything else?', "startend:quotation"),
        ("Sure!\n<<*>>\n <<*a*>>", "detectable_format:title"),
    ],
)
def test_loose_forgives_light_edits(response, id):
    assert judge(response, [constraint(id)]).loose == (True,)


def test_loose_does_not_forgive_two_lines():
    verdict = judge('Sure!\nOf course!\n"quoted"', [constraint("startend:quotation")])
    assert verdict.loose == (False,)


@pytest.mark.parametrize("response", ["", " ", "\n\t\n"])
def test_a_blank_response_follows_nothing(response):
    verdict = judge(response, SOME)
    assert not any(verdict.strict)
    assert not any(verdict.loose)


def test_nothing_to_follow_is_not_followed():
    assert not judge("Any text.", []).passed


def test_edits_are_not_made_where_only_the_strict_verdict_is_asked_for(monkeypatch):
    monkeypatch.setattr("uniapl_cli.verifiers.verdict.light_edits", None)
    assert judge("no, comma", SOME, loose=False).loose == ()
    with pytest.raises(TypeError):
        judge("no, comma", SOME)


@settings(deadline=None)  # the first judgement loads nltk
@given(responses)
def test_strict_implies_loose(response):
    verdict = judge(response, SOME)
    pairs = zip(verdict.strict, verdict.loose, strict=True)
    assert all(loose for strict, loose in pairs if strict)


@settings(deadline=None)  # the first judgement loads nltk
@given(responses)
def test_judging_is_repeatable_and_each_constraint_stands_alone(response):
    verdict = judge(response, SOME)
    assert judge(response, SOME) == verdict
    alone = [judge(response, [one]) for one in SOME]
    assert verdict.strict == tuple(one.passed for one in alone)
    assert verdict.loose == tuple(one.loose[0] for one in alone)


@settings(deadline=None)  # the first judgement loads nltk
@given(st.text().filter(lambda text: "*" not in text and "\n" not in text))
def test_one_line_without_asterisks_has_no_edits(response):
    assert light_edits(response) == ()
    assert judge(response, SOME).strict == judge(response, SOME).loose


@settings(deadline=None)  # the first judgement loads nltk
@given(responses)
def test_edits_are_the_official_variants(response):
    lines = response.split("\n")
    cut = ["\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1])]
    official = {response, *cut, *(text.replace("*", "") for text in (response, *cut))}
    assert set(light_edits(response)) | {response} == {t for t in official if t.strip()} | {
        response
    }
    assert len(set(light_edits(response))) == len(light_edits(response))


def test_a_failing_verifier_is_an_error_that_names_it(broken):
    with pytest.raises(UniAPLError) as caught:
        judge("text", [constraint("test:broken")])
    assert "test:broken" in caught.value.problem and "ZeroDivisionError" in caught.value.problem


def test_an_unknown_constraint_is_an_error():
    with pytest.raises(UniAPLError) as caught:
        judge("text", [Constraint("punctuation:no_comas")])
    assert caught.value.suggestion == "punctuation:no_comma"
