"""Everything that can be fetched is pinned as far as it can be, and named once."""

import re

import pytest

from uniapl_cli.commands import fetch_data
from uniapl_cli.errors import DataError
from uniapl_cli.evaluation.benchmarks import benchmarks
from uniapl_cli.fetching import MODELS, TEACHERS, TRAINING
from uniapl_cli.fetching.fetch import ALL
from uniapl_cli.fetching.parts import is_pattern, safe, wanted

ITEMS = fetch_data.items()


@pytest.fixture(params=sorted(ITEMS))
def item(request):
    return ITEMS[request.param]


def test_names_are_unique_and_are_no_groups():
    groups = {"benchmarks", "training", "models", "teachers"}
    folders = {benchmarks[name].definition.upstream.folder or name for name in benchmarks}
    assert len(ITEMS) == len(folders) + len(TRAINING) + len(MODELS) + len(TEACHERS)
    assert not groups & set(ITEMS)
    assert {item.group for item in ITEMS.values()} <= groups


def test_benchmarks_in_one_folder_have_the_same_files():
    for name in benchmarks:
        upstream = benchmarks[name].definition.upstream
        assert ITEMS[upstream.folder or name].upstream == upstream, name


@pytest.mark.parametrize("name", sorted(benchmarks))
def test_a_benchmark_reads_the_files_that_are_fetched_for_it(name, tmp_path):
    """One of the patterns that it looks for in an empty folder matches one of them."""
    upstream = benchmarks[name].definition.upstream
    options = benchmarks[name].options(kind=name)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError) as caught:
        options.items(empty)
    folder = tmp_path / "fetched"
    for one in upstream.files:
        path = folder / one.replace("*", "x")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert any(list(folder.glob(pattern)) for pattern in caught.value.allowed)


def test_commits_and_checksums_are_whole(item):
    upstream = item.upstream
    assert upstream.revision is None or re.fullmatch(r"[0-9a-f]{40}", upstream.revision)
    assert all(re.fullmatch(r"[0-9a-f]{64}", sum) for sum in upstream.sha256.values())
    assert set(upstream.sha256) <= {*wanted(upstream), ALL}
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", upstream.repo) and upstream.licence
    for name in upstream.files:
        if not is_pattern(name):
            safe(name)


def test_files_of_github_and_archives_are_pinned_by_content(item):
    """A commit fixes them too, but here nothing else says what they must be."""
    upstream = item.upstream
    if upstream.host == "github" or upstream.archive:
        assert upstream.revision is not None
        assert set(upstream.sha256) in (set(wanted(upstream)), {ALL})
        assert not any(is_pattern(path) for path in wanted(upstream).values())


def test_files_of_github_say_how_much_they_are(item):
    """Of the hub's, the hub does."""
    if item.upstream.host == "github":
        assert item.upstream.bytes is not None
