"""What is needed to make a run again."""

import shutil
import subprocess
import sys
from importlib import metadata

import uniapl_cli
from uniapl_cli.runs import environment as module
from uniapl_cli.runs.environment import commit, environment


def test_versions_machine_and_command_are_recorded():
    record = environment(["train", "sft"], seed=3, device="cpu")
    assert record["uniapl"] == uniapl_cli.__version__
    assert record["python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}.")
    assert record["packages"]["torch"] == metadata.version("torch")
    assert record["packages"].keys() >= {"transformers", "nltk", "langdetect"}
    assert "CPUs" in record["machine"]
    assert record["command"] == ["train", "sft"]
    assert (record["seed"], record["device"]) == (3, "cpu")


def git(folder, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def package(folder, monkeypatch):
    """Put a package of one file where environment.py believes that uniapl lies."""
    (folder / "package").mkdir()
    file = folder / "package" / "__init__.py"
    file.touch()
    monkeypatch.setattr(module.uniapl_cli, "__file__", str(file))
    return file


def test_the_commit_is_the_sources(tmp_path, monkeypatch):
    file = package(tmp_path, monkeypatch)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert commit() == head
    file.write_text("changed")
    assert commit() == f"{head}+changes"


def test_outside_git_there_is_no_commit(tmp_path, monkeypatch):
    package(tmp_path, monkeypatch)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert commit() is None


def test_a_checkout_that_merely_contains_the_package_is_not_its_commit(tmp_path, monkeypatch):
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "someone else's")
    package(tmp_path, monkeypatch)
    assert commit() is None


def test_without_git_there_is_no_commit(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert shutil.which("git") is None
    assert commit() is None
