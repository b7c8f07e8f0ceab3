"""IFBench's 58 instructions: what follows each, what does not, and what they have in common."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ifbench_cases import CASES

from uniapl_cli.errors import DataError
from uniapl_cli.verifiers import Case, Judge, constraint, judge, lacking, verifiers

IDS = [id for id in verifiers if verifiers[id].traits.get("evaluation")]
SIZES = {
    "count": 9,
    "custom": 11,
    "format": 14,
    "ratio": 5,
    "repeat": 3,
    "sentence": 3,
    "words": 13,
}
WORDS = st.sampled_from(["A", "b-c", "1999", "12", "home", "-x", "Ran", "é"])
EACH_KWARG = [(id, name) for id in IDS for name in verifiers[id].takes()]


def test_there_are_58_in_a_file_a_group():
    assert Counter(id.partition(":")[0] for id in IDS) == SIZES
    assert sum(SIZES.values()) == 58
    for id in IDS:
        module = verifiers[id].definition.__module__
        assert module == f"uniapl_cli.verifiers.ifbench.{id.partition(':')[0]}"


@pytest.mark.usefixtures("made_up_nltk_data")
@pytest.mark.parametrize("id", IDS)
def test_some_responses_follow_an_instruction_and_others_do_not(id, follows):
    cases = CASES[id]
    assert lacking(id) is None and cases.yes and cases.no
    assert [text for text in cases.yes if not follows(id, text, **cases.kwargs)] == []
    assert [text for text in cases.no if follows(id, text, **cases.kwargs)] == []


@pytest.mark.parametrize(("id", "name"), EACH_KWARG)
def test_a_kwarg_that_is_missing_is_an_error_and_nothing_is_drawn(id, name):
    state = random.getstate()
    kwargs = {key: value for key, value in CASES[id].kwargs.items() if key != name}
    for lacks in (kwargs, {**kwargs, name: None}):
        with pytest.raises(DataError) as caught:
            constraint(id, lacks, "rows.jsonl:3")
        assert (caught.value.key, caught.value.where) == (name, "rows.jsonl:3")
    assert random.getstate() == state


@pytest.mark.parametrize(("id", "name"), EACH_KWARG)
def test_numbers_of_the_hubs_columns_are_read(id, name):
    kwargs = dict(CASES[id].kwargs)
    as_floats = {k: float(v) if isinstance(v, int) else v for k, v in kwargs.items()}
    others = {"absent": None}
    assert constraint(id, as_floats | others).kwargs == kwargs


@pytest.mark.usefixtures("made_up_nltk_data")
@settings(deadline=None, max_examples=60)
@given(text=st.text(max_size=60), noise=st.text("\"'.,?!*-<i>(){}\n \t\r猫😀", max_size=60))
def test_any_text_gets_a_verdict(text, noise):
    for response in (text, noise, text + noise):
        for id in IDS:
            verdict = judge(response, [constraint(id, CASES[id].kwargs)])
            assert not verdict.strict[0] or verdict.loose[0]


def test_what_lacks_its_data_is_refused_by_name(without_nltk_data):
    for id in ("words:start_verb", "ratio:stop_words"):
        lack = lacking(id)
        assert lack is not None and lack.key == id and id in str(lack)
        assert "uniapl setup nltk" in str(lack)
        cases = CASES[id]
        (verdict,) = Judge()([Case("Go home.", [constraint(id, cases.kwargs)], "row")])
        assert verdict.errors == (str(lack),) and verdict.strict == verdict.loose == (False,)


@pytest.mark.usefixtures("made_up_nltk_data")
def test_the_first_words_tag_follows_from_it_and_the_two_behind_it(follows):
    assert follows("words:start_verb", "Ran away.")  # of a word with but one tag
    assert follows("words:start_verb", "Go home now and then.")
    assert not follows("words:start_verb", "Home home now.")
    assert not follows("words:start_verb", "Go. Now home.")


@pytest.mark.usefixtures("made_up_nltk_data")
@given(words=st.lists(WORDS, min_size=1))
def test_our_tagger_agrees_with_nltks(words):
    from nltk.tag.perceptron import PerceptronTagger

    from uniapl_cli.verifiers.tagger import load_tagger

    ours = load_tagger()
    theirs = PerceptronTagger(load=False)
    theirs.decode_json_params((ours.weights, ours.known, ours.tags))
    assert ours.first_tag(words) == theirs.tag(words)[0][1]
