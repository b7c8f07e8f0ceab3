"""Where nltk's data are looked for, and how they are downloaded."""

import subprocess
import sys
import zipfile

import pytest

from uniapl_cli.errors import DataError
from uniapl_cli.verifiers import download, nltk_data

NAME = "corpora/stopwords/english"


@pytest.fixture
def folders(monkeypatch, tmp_path):
    """Two folders of nltk's search path, the first without anything."""
    monkeypatch.setattr("nltk.data.path", [str(tmp_path / "none"), str(tmp_path / "some")])
    monkeypatch.setattr(nltk_data, "_bundled", lambda: None)
    return tmp_path


def test_what_is_nowhere_is_none(folders):
    assert nltk_data.find(NAME) is None


def test_a_file_is_found_as_it_is_and_in_the_archive_that_nltk_leaves(folders):
    archive = folders / "none" / "corpora" / "stopwords.zip"
    file = folders / "some" / NAME
    file.parent.mkdir(parents=True)
    file.write_text("the")
    assert nltk_data.find(NAME) == file
    archive.parent.mkdir(parents=True)
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("stopwords/english", "a")
    assert nltk_data.find(NAME).read_text("utf-8") == "a"


def test_the_package_is_found_without_being_imported(monkeypatch, tmp_path):
    core = tmp_path / "llama_index" / "core"
    (core / "_static" / "nltk_cache").mkdir(parents=True)
    (core / "__init__.py").write_text("raise AssertionError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert nltk_data._bundled() == core / "_static" / "nltk_cache"


def test_all_that_verifiers_read_is_downloaded(monkeypatch, tmp_path):
    names = []
    monkeypatch.setattr("nltk.download", lambda name, **_: names.append(name) or True)
    download(tmp_path)
    assert tuple(names) == nltk_data.NEEDED


def test_a_failed_download_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr("nltk.download", lambda *args, **kwargs: False)
    with pytest.raises(DataError) as caught:
        download(tmp_path)
    assert str(tmp_path) in caught.value.problem


def test_a_failed_download_says_why(monkeypatch, tmp_path):
    def fail(*args, **kwargs):
        raise ValueError("no route to host")

    monkeypatch.setattr("nltk.download", fail)
    with pytest.raises(DataError) as caught:
        download(tmp_path)
    assert "no route to host" in caught.value.problem


def test_looking_does_not_import_nltk():
    code = (
        "import sys; from uniapl_cli.verifiers import lacking; lacking('words:start_verb');"
        "sys.exit('nltk' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
