"""Folders appear whole or not at all, and none but its own kind is replaced."""

import errno
import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from uniapl_cli.folders import check_folder_output, failed_write, replacing_folder
from uniapl_cli.outputs import OutputError


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_new_folder_takes_the_place_of_the_old(tmp_path):
    out = tmp_path / "new" / "out"
    for name in "ab":
        with replacing_folder(out) as scratch:
            (scratch / name).write_text("x")
        assert names(tmp_path) == ["new", "new/out", f"new/out/{name}"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_the_old_folder(tmp_path, error):
    with replacing_folder(tmp_path / "out") as scratch:
        (scratch / "old").touch()
    with pytest.raises(error), replacing_folder(tmp_path / "out") as scratch:
        (scratch / "new").touch()
        raise error
    assert names(tmp_path) == ["out", "out/old"]


@pytest.mark.parametrize("refused", ["rename", "rmtree"])
def test_a_signal_while_it_is_replaced_leaves_one_of_the_two_whole(tmp_path, refused, monkeypatch):
    """The new folder is not named yet, or the old one not deleted yet."""
    with replacing_folder(tmp_path / "out") as scratch:
        (scratch / "old").touch()
    real = {"rename": Path.rename, "rmtree": shutil.rmtree}

    def rename(path, to):
        if path.name == ".out.tmp":
            raise KeyboardInterrupt
        return real["rename"](path, to)

    def rmtree(path, **options):
        filled = path.is_dir() and any(path.iterdir())
        real["rmtree"](path, **options)
        if filled:
            raise KeyboardInterrupt

    owner, stopped = {"rename": (Path, rename), "rmtree": (shutil, rmtree)}[refused]
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(owner, refused, stopped)
        with replacing_folder(tmp_path / "out") as scratch:
            (scratch / "new").touch()
    assert names(tmp_path / "out") == (["old"] if refused == "rename" else ["new"])


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "far" / "real")
    for name in "ab":
        with replacing_folder(tmp_path / "out") as scratch:
            (scratch / name).touch()
        assert (tmp_path / "out").is_symlink() and names(tmp_path / "far") == [
            "real",
            f"real/{name}",
        ]


def test_files_are_for_whom_the_umask_says(tmp_path):
    """Libraries that write through a temporary file leave it to its owner alone."""
    before = os.umask(0o027)
    try:
        with replacing_folder(tmp_path / "out") as scratch:
            save_file({"a": torch.ones(1)}, scratch / "model.safetensors")
    finally:
        os.umask(before)
    assert (tmp_path / "out" / "model.safetensors").stat().st_mode & 0o777 == 0o640


def test_what_a_killed_process_left_is_swept_up(tmp_path):
    (tmp_path / ".out.tmp").mkdir()
    (tmp_path / ".out.tmp" / "torn").touch()
    with replacing_folder(tmp_path / "out") as scratch:
        (scratch / "new").touch()
    assert names(tmp_path) == ["out", "out/new"]


def library_errors():
    """What Rust and torch raise when the disk is full."""
    rust = Exception("Error while serializing: I/O error: No space left on device (os error 28)")
    torch = RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 704 vs 598")
    torch.__context__ = OSError(errno.ENOSPC, "No space left on device")
    return [rust, torch, OSError(errno.ENOSPC, "No space left on device")]


@pytest.mark.parametrize("number", range(3))
def test_a_librarys_error_of_writing_is_one_of_the_output(tmp_path, number):
    error = library_errors()[number]
    assert failed_write(error).errno == errno.ENOSPC
    with pytest.raises(OutputError) as caught, replacing_folder(tmp_path / "out"):
        raise error
    assert caught.value.got == str(tmp_path / "out") and names(tmp_path) == []
    assert failed_write(RuntimeError("a bug")) is None


@pytest.mark.parametrize("name", ["input", "input/below", ".", "other", "file"])
def test_a_folder_of_something_else_is_not_replaced(tmp_path, name):
    for folder in ("input", "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.txt").touch()
    (tmp_path / "file").touch()
    before = names(tmp_path)
    with pytest.raises(OutputError):
        check_folder_output(tmp_path / name, "MARK", tmp_path / "input")
    assert names(tmp_path) == before


def test_an_empty_folder_and_one_of_its_own_kind_are(tmp_path):
    for name in ("empty", "mine"):
        (tmp_path / name).mkdir()
    (tmp_path / "mine" / "MARK").touch()
    for name in ("empty", "mine", "new"):
        check_folder_output(tmp_path / name, "MARK", tmp_path / "input")
