"""What starts commands of several ranks."""

import shutil

import pytest
from launched_ranks import RankServer


@pytest.fixture(scope="session")
def ranks(tmp_path_factory, tiny_data):
    """A server that starts commands on several ranks, in a folder with `few.jsonl` to train on."""
    folder = tmp_path_factory.mktemp("ranks")
    shutil.copy(tiny_data["few"], folder / "few.jsonl")
    server = RankServer(folder)
    yield server
    server.close()
    shutil.rmtree(server.folder, ignore_errors=True)
