import logging
import subprocess
import sys

import pytest

from uniapl_cli.verifiers import nltk_data, splitter_name, text

TITLED = "Dr. No came. He left."


@pytest.fixture(autouse=True)
def _look_anew():
    text.forget_splitter()
    yield
    text.forget_splitter()


@pytest.fixture
def without_tables(monkeypatch, tmp_path):
    monkeypatch.setattr("nltk.data.path", [str(tmp_path)])
    monkeypatch.setattr(nltk_data, "_bundled", lambda: None)


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
    monkeypatch.setattr(nltk_data, "_bundled", lambda: tables)
    assert text.sentences(TITLED) == ("Dr. No came.", "He left.")
    assert splitter_name().startswith("punkt (")
    assert not caplog.records


def test_equal_sentences_are_split_into_equal_words():
    assert text.words("It is. So. It is.") == ["It", "is", ".", "So", ".", "It", "is", "."]


def test_splitting_does_not_import_nltk():
    code = (
        "import sys; from uniapl_cli.verifiers import text; text.words('It is. So.');"
        "sys.exit('nltk' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
