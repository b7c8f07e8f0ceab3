import logging
import subprocess
import sys

import pytest

from uniapl_cli.errors import DataError
from uniapl_cli.verifiers import download_punkt, splitter_name, text

TITLED = "Dr. No came. He left."


@pytest.fixture(autouse=True)
def _look_anew():
    text.forget_splitter()
    yield
    text.forget_splitter()


@pytest.fixture
def without_tables(monkeypatch, tmp_path):
    monkeypatch.setattr("nltk.data.path", [str(tmp_path)])
    monkeypatch.setattr(text, "_bundled", lambda: None)


@pytest.fixture
def tables(tmp_path):
    """A folder laid out as nltk's data, whose tables know one abbreviation: dr."""
    folder = tmp_path / "data"
    (folder / text.TABLES).mkdir(parents=True)
    for name in ("collocations.tab", "sent_starters.txt", "ortho_context.tab"):
        (folder / text.TABLES / name).touch()
    (folder / text.TABLES / "abbrev_types.txt").write_text("dr\n")
    return folder


def test_without_tables_the_split_is_untrained_and_said_once(without_tables, caplog):
    with caplog.at_level(logging.WARNING, "uniapl"):
        assert text.sentences(TITLED) == ("Dr.", "No came.", "He left.")
        assert text.words("It can't be.") == ["It", "ca", "n't", "be", "."]
        assert splitter_name() == "untrained"
    (record,) = caplog.records
    assert "uniapl setup nltk" in record.message
    assert "uniapl setup nltk" in record.message


def test_tables_on_nltks_search_path_are_used(monkeypatch, tables, caplog):
    monkeypatch.setattr("nltk.data.path", [str(tables)])
    assert text.sentences(TITLED) == ("Dr. No came.", "He left.")
    assert text.words("Dr. No came.") == ["Dr.", "No", "came", "."]
    assert splitter_name() == f"punkt ({tables / text.TABLES})"
    assert not caplog.records


def test_tables_of_an_installed_package_are_used(monkeypatch, tables, caplog):
    monkeypatch.setattr("nltk.data.path", [])
    monkeypatch.setattr(text, "_bundled", lambda: tables)
    assert text.sentences(TITLED) == ("Dr. No came.", "He left.")
    assert splitter_name().startswith("punkt (")
    assert not caplog.records


def test_the_package_is_found_without_being_imported(monkeypatch, tmp_path):
    core = tmp_path / "llama_index" / "core"
    (core / "_static" / "nltk_cache" / text.TABLES).mkdir(parents=True)
    (core / "__init__.py").write_text("raise AssertionError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert text._bundled() == core / "_static" / "nltk_cache"


def test_a_failed_download_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr("nltk.download", lambda *args, **kwargs: False)
    with pytest.raises(DataError) as caught:
        download_punkt(tmp_path)
    assert str(tmp_path) in caught.value.problem


def test_a_failed_download_says_why(monkeypatch, tmp_path):
    def fail(*args, **kwargs):
        raise ValueError("no route to host")

    monkeypatch.setattr("nltk.download", fail)
    with pytest.raises(DataError) as caught:
        download_punkt(tmp_path)
    assert "no route to host" in caught.value.problem


def test_downloaded_tables_are_used_at_once(monkeypatch, without_tables, tables):
    assert splitter_name() == "untrained"
    monkeypatch.setattr("nltk.download", lambda *args, **kwargs: True)
    monkeypatch.setattr("nltk.data.path", [str(tables)])
    download_punkt(tables)
    assert splitter_name().startswith("punkt (")


def test_splitting_does_not_import_nltk():
    code = (
        "import sys; from uniapl_cli.verifiers import text; text.words('It is. So.');"
        "sys.exit('nltk' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
