"""Entries of encoded data: written whole, found by name, deleted when unused, never while open."""

import errno
import os
import time

import pytest

from uniapl_cli.data.stored import cache as module
from uniapl_cli.data.stored.cache import HIDDEN, ITEMS, RECORD, ROWS, Cache, Scratch, default_folder

DEPENDS = {"data": "d0", "how": {"name": "a"}}


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "deep" / "kept")


def put(cache, depends=DEPENDS, size=1000, age=0.0):
    """Write an entry of so many bytes, last used so many seconds ago."""
    scratch = Scratch(cache.folder)
    for name in (ROWS, ITEMS):
        (scratch.folder / name).write_bytes(os.urandom(size // 2))
    path = cache.put(scratch, {"depends": depends})
    scratch.lock.close()
    when = time.time() - age
    os.utime(path / RECORD, (when, when))
    return path


def names(cache):
    return sorted(path.name for path in cache.folder.iterdir())


def test_an_entry_is_found_by_all_that_it_depends_on(cache):
    assert cache.find(DEPENDS, mend=True) is None and not cache.knows("d0")
    path = put(cache)
    entry = cache.find(DEPENDS, mend=True)
    assert entry.folder == path and entry.record["depends"] == DEPENDS
    assert cache.knows("d0") and not cache.knows("d1")
    assert cache.find({**DEPENDS, "how": {"name": "b"}}, mend=True) is None


def test_the_second_of_two_writers_keeps_the_firsts(cache):
    put(cache)
    before = (cache.path(DEPENDS) / ROWS).read_bytes()
    scratch = Scratch(cache.folder)
    for name in (ROWS, ITEMS):
        (scratch.folder / name).write_bytes(b"other")
    path = cache.put(scratch, {"depends": DEPENDS})
    scratch.remove()
    assert (path / ROWS).read_bytes() == before and len(names(cache)) == 1


def test_what_nobody_used_for_long_goes_with_the_next(cache):
    old = put(cache, age=module.UNUSED + 60)
    used = put(cache, {**DEPENDS, "how": {}}, age=module.UNUSED + 60)
    cache.find({**DEPENDS, "how": {}}, mend=True).lock.close()  # uses it
    put(cache, {**DEPENDS, "data": "d1"})
    assert not old.exists() and used.exists()


def test_what_was_used_longest_ago_goes_while_there_is_too_much(cache, monkeypatch):
    paths = [put(cache, {**DEPENDS, "data": f"d{n}"}, 10_000, 600 - 100 * n) for n in range(3)]
    monkeypatch.setattr(module, "MOST", 25_000)
    put(cache, {**DEPENDS, "data": "new"}, 10_000)
    assert [path.exists() for path in paths] == [False, False, True]


def test_what_is_open_stays(cache):
    old = put(cache)
    entry = cache.find(DEPENDS, mend=True)
    when = time.time() - 2 * module.UNUSED
    os.utime(old / RECORD, (when, when))
    put(cache, {**DEPENDS, "data": "d1"})
    assert old.exists()
    entry.lock.close()
    cache.tidy()
    assert not old.exists()


def test_what_a_dead_process_left_goes_and_what_a_live_one_writes_stays(cache):
    live, dead = Scratch(cache.folder), Scratch(cache.folder)
    dead.lock.close()
    bare = cache.folder / f"{HIDDEN}1-00000000"
    bare.mkdir()
    for folder in (live.folder, dead.folder):
        os.utime(folder / RECORD, (1, 1))
    os.utime(bare, (1, 1))
    cache.tidy()
    assert names(cache) == [live.folder.name]


def test_what_is_none_of_ours_stays(cache, monkeypatch):
    others = [cache.folder / name for name in ("photos", f"x-{'0' * 32}", ".part-1-aaaaaaaa")]
    for folder in others:
        folder.mkdir(parents=True)
        (folder / "mine").touch()
        os.utime(folder, (1, 1))
    (cache.folder / "letter").touch()
    monkeypatch.setattr(module, "MOST", 0)
    own = put(cache)
    assert names(cache) == sorted(path.name for path in [*others, own, cache.folder / "letter"])


def test_a_folder_that_cannot_be_written_is_read_all_the_same(cache, monkeypatch):
    path = put(cache)

    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "utime", refuse)
    monkeypatch.setattr(type(path), "rename", refuse)
    assert cache.find(DEPENDS, mend=True).folder == path
    (path / ROWS).write_bytes(b"damaged")
    assert cache.find(DEPENDS, mend=True) is None and path.exists()


@pytest.mark.parametrize("named", [None, "", "relative", "/elsewhere"])
def test_the_default_folder_is_the_users(monkeypatch, named):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("XDG_CACHE_HOME")
    if named is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", named)
    within = "/elsewhere" if named == "/elsewhere" else "/home/me/.cache"
    assert str(default_folder()) == f"{within}/uniapl/encoded"


def test_the_tests_write_into_no_cache_of_the_users():
    assert default_folder().is_relative_to(os.environ["XDG_CACHE_HOME"])
    assert "uniapl-cache-" in os.environ["XDG_CACHE_HOME"]
