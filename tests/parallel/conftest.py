"""What starts commands of several ranks."""

import shutil

import pytest
from launched_ranks import RankServer


@pytest.fixture(scope="session")
def ranks(tmp_path_factory):
    """A server that starts commands on several ranks."""
    server = RankServer(tmp_path_factory.mktemp("ranks"))
    yield server
    server.close()
    shutil.rmtree(server.folder, ignore_errors=True)
