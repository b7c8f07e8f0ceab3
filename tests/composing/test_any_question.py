"""Whatever is asked, and whichever instructions are chosen: a row has an answer that follows it."""

from hypothesis import given, settings
from hypothesis import strategies as st
from made_answers import answer

from uniapl_cli.composing import KINDS, Composer, Question
from uniapl_cli.data.layouts import layouts
from uniapl_cli.files import Row
from uniapl_cli.verifiers import Case, Judge, trainable

asked = st.text(st.characters(codec="utf-8"), min_size=1, max_size=80)
# As people ask, with what instructions ban, bound and look for in it.
SAID = (
    "Is it so",
    "?",
    "!",
    ",",
    ".",
    "***",
    "\n",
    "PEPPER",
    "really",
    "[x]",
    "<<b>>",
    "P.S.",
    "é",
)
spoken = st.lists(st.sampled_from(SAID), min_size=1, max_size=30).map(" ".join)
read = layouts["ifeval"].definition


@settings(max_examples=200, deadline=None)
@given(
    text=(asked | spoken).filter(str.strip),
    ids=st.lists(st.sampled_from(list(KINDS)), min_size=1, max_size=20, unique=True),
    sizes=st.tuples(st.integers(1, 8), st.integers(1, 8)).map(sorted),
    seed=st.integers(0, 1000),
    number=st.integers(0, 100),
)
def test_a_row_can_be_followed(text, ids, sizes, seed, number):
    fewest, most = sizes
    kinds = [KINDS[id] for id in ids]
    composer = Composer(kinds, [Question(text)], fewest=fewest, most=most, seed=seed)
    row = composer.draw(number)
    assert row == composer.draw(number)
    if row is None:
        return
    example = read(Row("rows.jsonl:1", row), trainable)
    assert example.prompt_text == row["prompt"] and row["prompt"].startswith(text)
    assert fewest <= len(example.constraints) <= most
    assert {one.id for one in example.constraints} <= set(ids)
    (verdict,) = Judge()([Case(answer(row), example.constraints)], loose=False)
    assert all(verdict.strict), [one.id for one in example.constraints]
