import pytest

from uniapl_cli.tiny.oracle import demonstrations
from uniapl_cli.tiny.task import rows
from uniapl_cli.tiny.world import new_tokenizer


@pytest.fixture(scope="session")
def demonstrated():
    return demonstrations(rows(0, 1500), 1)


@pytest.fixture(scope="session")
def tokenizer(demonstrated):
    return new_tokenizer(demonstrated)
