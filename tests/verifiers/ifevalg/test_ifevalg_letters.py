import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniapl_cli.verifiers.ifevalg.letters import letter_counting


@pytest.mark.parametrize(("response", "count"), [("Ab, c1!", 3), ("éß", 0), ("a" * 40, 40)])
def test_letter_counting_counts_plain_letters(follows, response, count):
    id = "letters:letter_counting"
    assert follows(id, response, N=count + 1, relation="less than")
    assert not follows(id, response, N=count + 1, relation="at least")
    assert not count or follows(id, response, N=count, relation="at least")


@given(st.text(), st.integers(1, 20))
def test_at_least_and_less_than_are_opposites(response, n):
    least = letter_counting(response, N=n, relation="at least")
    assert letter_counting(response, N=n, relation="less than") is not least
