import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniapl_cli.verifiers.ifevalg.sentences import sentences_by_rule


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("no full stop", ["no full stop"]),
        ("Line\nbreaks join.", ["Line breaks join."]),
        ("Dr. No and Mrs. Yes met. They left.", ["Dr. No and Mrs. Yes met.", "They left."]),
        ("See x.com or 3.14. Now.", ["See x.com or 3.14.", "Now."]),
        ("Version 1.2.3 is out.", ["Version 1.2.", "3 is out."]),  # only every second point
        ("Well... yes.", ["Well...", "yes."]),
        ("A Ph.D. helps.", ["A Ph.D. helps."]),
        ("J. Doe came.", ["J. Doe came."]),
        ("In the U.S. it rains.", ["In the U.S. it rains."]),
        ("In the U.S. It rains.", ["In the U.S.", "It rains."]),
        ("He works at X Inc. They pay.", ["He works at X Inc", "They pay."]),  # the point is lost
        ("He works at X Inc. for pay.", ["He works at X Inc. for pay."]),
        ('He said "Go." Then left.', ['He said "Go".', "Then left."]),  # quotes change places
        ("“Go.” Then left.", ["“Go”.", "Then left."]),
        ('"Go!" "Why?" he said.', ['"Go"!', '"Why"?', "he said."]),
        ("What?! No.", ["What?", "!", "No."]),
        ("One.Two.", ["One.", "Two."]),
        ("e.g. this", ["e.g. this"]),
        ("A.B.C.D. He came.", ["A.B.C.D.", "", "He came."]),
        ("", []),
        (" \n ", []),
        ("?", ["?"]),
    ],
)
def test_sentences_by_rule(text, sentences):
    assert sentences_by_rule(text) == sentences


@given(st.text('aA.!? "”\n1'))
def test_sentences_are_stripped_and_lose_no_letter(text):
    sentences = sentences_by_rule(text)
    assert [one.strip() for one in sentences] == sentences
    letters = [c for c in text if c.isalnum()]
    assert [c for c in "".join(sentences) if c.isalnum()] == letters
