import pytest
from small_study import write_study

from uniapl_cli.pages.study import read_study


@pytest.fixture
def folder(tmp_path):
    """A folder with a made-up study."""
    return write_study(tmp_path / "study")


@pytest.fixture
def study(folder):
    return read_study(folder)
