"""A row of every layout, as six templates show it, is what a person has looked at."""

import inspected


def test_rows_are_shown_as_they_were_looked_at():
    """Rewrite inspected.txt with `make style`, and read what has changed."""
    assert inspected.write() == inspected.GOLDEN.read_text("utf-8")
