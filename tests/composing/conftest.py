import pytest

from uniapl_cli.composing import KINDS, Composer

ROWS = 5000


@pytest.fixture(scope="session")
def rows():
    """The rows of seed 0, with all instructions."""
    return list(Composer(list(KINDS.values())).rows(ROWS))
