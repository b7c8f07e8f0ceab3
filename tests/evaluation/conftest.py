import pytest
from echo import Echo, new_example

from uniapl_cli.chat import Chat


@pytest.fixture
def echo():
    return Echo


@pytest.fixture(scope="session")
def chat(tokenizer):
    return Chat(tokenizer)


@pytest.fixture
def example():
    """example(id, response, *ids of constraints without kwargs, **columns)"""
    return new_example
