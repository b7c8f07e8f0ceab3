"""Files come whole, checked and once; what is wrong is named, and takes no file's place."""

import errno
import json
import random

import pytest

from uniapl_cli.errors import DataError, UniAPLError
from uniapl_cli.fetching import AccessDenied, Records, Web, download
from uniapl_cli.outputs import OutputError
from uniapl_cli.upstream import Upstream

LARGE = random.Random(0).randbytes(300_000)
FILES = {"a/test.jsonl": LARGE, "train.csv": b"question,answer\n"}


@pytest.fixture(params=["github", "dataset", "model"])
def host(request):
    return request.param


def parts(folder):
    return [path for path in folder.rglob("*") if path.name.endswith(".part")]


def test_all_files_come_and_are_recorded(of, get, host, tmp_path):
    upstream = of(host, FILES)
    result, folder = get(upstream)
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES
    assert (result.new, result.commit) == (2, upstream.revision)
    assert result.bytes == sum(map(len, FILES.values()))
    record = json.loads((tmp_path / "fetched.json").read_text())["it"]
    assert record["files"] == upstream.sha256 and record["complete"]
    assert (record["repository"], record["commit"]) == (upstream.url, upstream.revision)
    assert record["licence"] == "MIT" and not record["non_commercial"]


def test_what_is_there_is_checked_without_a_network(of, get, site, host, monkeypatch):
    upstream = of(
        host, FILES, sums=host == "github", revision=None if host == "model" else "b" * 40
    )
    get(upstream)
    asked = len(site.asked)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("UNIAPL_GITHUB_RAW", "http://127.0.0.1:9")
    result, folder = get(upstream)
    assert (result.new, len(site.asked)) == (0, asked)
    (folder / "train.csv").write_text("something else\n")
    with pytest.raises(DataError) as caught:
        get(upstream)
    assert str(folder / "train.csv") in str(caught.value)
    assert (folder / "train.csv").read_text() == "something else\n"


def test_a_missing_file_is_fetched_again_and_only_that(of, get, site, host):
    upstream = of(host, FILES)
    _, folder = get(upstream)
    (folder / "train.csv").unlink()
    site.asked.clear()
    result, _ = get(upstream)
    assert result.new == 1 and (folder / "train.csv").read_bytes() == FILES["train.csv"]
    assert [asked.path.endswith("train.csv") for asked in site.asked] == [True]


def test_files_from_elsewhere_are_taken_where_they_are_the_same(of, get, site, host, tmp_path):
    upstream = of(host, FILES, sums=host == "github")
    (tmp_path / "it").mkdir()
    (tmp_path / "it" / "train.csv").write_bytes(FILES["train.csv"])
    assert get(upstream)[0].new == 1
    assert not any(asked.path.endswith("train.csv") for asked in site.asked)


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_connection_is_gone_on_from(of, get, site, ranges):
    """Each connection breaks after 70,000 bytes; without ranges, the fourth does not."""
    upstream = of("github", FILES)
    site.ranges = ranges
    site.cut = lambda number: 70_000 if ranges or number < 4 else None
    _, folder = get(upstream)
    assert (folder / "a/test.jsonl").read_bytes() == LARGE
    starts = [asked.range for asked in site.asked if asked.path.endswith("test.jsonl")]
    assert starts[0] is None and all(starts[1:])
    assert len(starts) == (5 if ranges else 4)
    assert parts(folder) == []


def test_what_an_interrupted_command_left_is_gone_on_from(of, get, site, tmp_path):
    upstream = of("dataset", FILES)
    site.cut = lambda number: 0 if number > 1 else 100_000
    with pytest.raises(DataError):
        get(upstream)
    assert [path.stat().st_size for path in parts(tmp_path)] == [100_000]
    assert not (tmp_path / "it/a/test.jsonl").exists()
    site.cut = lambda number: None
    site.asked.clear()
    _, folder = get(upstream)
    assert site.asked[0].range == "bytes=100000-"
    assert (folder / "a/test.jsonl").read_bytes() == LARGE and parts(folder) == []


def test_a_whole_scratch_file_is_put_in_its_place(of, get, site, tmp_path, monkeypatch):
    """The command was killed between the last byte and the renaming."""
    upstream = of("github", FILES)
    with monkeypatch.context() as patched:
        patched.setattr(download, "_checked", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            get(upstream)
    assert [path.stat().st_size for path in parts(tmp_path)] == [len(LARGE)]
    _, folder = get(upstream)
    assert (folder / "a/test.jsonl").read_bytes() == LARGE


def test_a_server_that_is_busy_is_asked_again(of, get, site):
    upstream = of("github", FILES)
    site.statuses = [503, 429, 200, 500]
    assert get(upstream)[0].new == 2


@pytest.mark.parametrize("statuses", [[404], [400], [503] * 5])
def test_a_server_that_refuses_is_named(of, get, site, statuses, tmp_path):
    upstream = of("github", FILES)
    site.statuses = list(statuses)
    with pytest.raises(DataError) as caught:
        get(upstream)
    assert str(statuses[0]) in str(caught.value)
    assert len(site.asked) == len(statuses) and parts(tmp_path) == []


def test_a_wrong_checksum_names_both_and_leaves_nothing(of, get, site, host, tmp_path):
    upstream = of(host, FILES)
    site.repos["owner/repo"]["train.csv"] += b"\n"
    with pytest.raises(DataError) as caught:
        get(upstream)
    error = caught.value
    assert error.allowed == (upstream.sha256["train.csv"],) and error.got in str(error)
    assert error.allowed[0] in str(error)
    assert not (tmp_path / "it" / "train.csv").exists() and parts(tmp_path) == []
    assert (tmp_path / "it" / "a/test.jsonl").exists()
    site.repos["owner/repo"]["train.csv"] = FILES["train.csv"]
    assert get(upstream)[0].new == 1


def test_many_files_have_one_checksum(of, get, site, tmp_path):
    """As sha256sum prints them, in the order of their names."""
    lines = "".join(
        f"{download.hashlib.sha256(FILES[name]).hexdigest()}  {name}\n" for name in sorted(FILES)
    )
    known = of("github", FILES)
    pinned = {"*": download.hashlib.sha256(lines.encode()).hexdigest()}
    upstream = Upstream("github", known.repo, known.revision, known.files, "MIT", pinned)
    site.cut = lambda number: 0 if number > 1 else None
    with pytest.raises(DataError):
        get(upstream)
    site.cut = lambda number: None
    site.asked.clear()
    assert get(upstream)[0].new == 1 and len(site.asked) == 1
    assert get(upstream)[0].new == 0 and len(site.asked) == 1
    site.repos["owner/repo"]["train.csv"] = b"else\n"
    with pytest.raises(DataError) as caught:
        get(upstream, "other")
    assert caught.value.allowed == (pinned["*"],) and caught.value.got in str(caught.value)


def test_what_the_hub_says_of_a_file_is_checked_where_nothing_is_pinned(of, get, site):
    """Small files by git's SHA-1, large ones by their sha256."""
    for large in (set(), set(FILES)):
        upstream = of("dataset", FILES, sums=False)
        site.large = large
        said = site.listing("owner/repo", "b" * 40)
        site.repos["owner/repo"] = {name: body + b"!" for name, body in FILES.items()}
        site.listing = lambda *_, said=said: said
        with pytest.raises(DataError):
            get(upstream, f"it{len(large)}")
        del site.listing


def test_no_room_is_said_before_a_byte_is_fetched(of, get, site, monkeypatch):
    upstream = of("dataset", FILES, sums=False)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: type("D", (), {"free": 299_999}))
    with pytest.raises(DataError) as caught:
        get(upstream)
    assert caught.value.got == 299_999
    assert not any(asked.path.endswith("test.jsonl") for asked in site.asked)


def test_a_disk_that_fills_up_keeps_what_came(of, get, tmp_path, monkeypatch):
    upstream = of("github", FILES)
    pour, sizes = download._pour, []

    def full(part, file, web):
        file.write(LARGE[:5000])
        sizes.append(1)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download, "_pour", full)
    with pytest.raises(OutputError) as caught:
        get(upstream)
    assert "Make room" in str(caught.value) and sizes == [1]
    assert [path.stat().st_size for path in parts(tmp_path)] == [5000]
    monkeypatch.setattr(download, "_pour", pour)
    assert get(upstream)[0].new == 2


def test_a_second_process_is_told(of, get, tmp_path):
    upstream = of("github", FILES)
    with Web() as web:
        part = download.Part("a.csv", "http://127.0.0.1:9/a.csv")
        path = tmp_path / "a.csv"
        with (
            download._locked(path.with_name(f".a.csv.{_tag(part.url)}.part")),
            pytest.raises(DataError, match="another process"),
        ):
            download.download(part, path, web)
    assert get(upstream)[0].new == 2


def _tag(url):
    return download.hashlib.sha256(url.encode()).hexdigest()[:8]


def test_an_unpinned_repository_is_held_to_the_commit_that_was_found(of, get, site, tmp_path):
    upstream = of("dataset", FILES, sums=False, revision=None)
    site.cut = lambda number: 0 if number > 2 else None
    with pytest.raises(DataError):
        get(upstream)  # the second file does not come
    assert Records(tmp_path).revision("it", upstream) == site.main
    site.cut = lambda number: None
    first, site.main = site.main, "c" * 40
    result, _ = get(upstream)
    assert result.commit == first
    assert all(first in asked.path for asked in site.asked[-2:])
    other = Upstream("dataset", "other/repo", None, {"a.csv": "a.csv"}, "MIT")
    assert Records(tmp_path).revision("it", other) is None


def test_patterns_take_all_that_match_at_their_depth(of, get, site):
    files = {
        "config.json": b"{}",
        "a-1.safetensors": b"1",
        "a-2.safetensors": b"2",
        "pytorch_model.bin": b"x",
        "more/b.json": b"{}",
        "modeling.py": b"import os",
    }
    patterns = {"*.json": "*.json", "weights": "*.safetensors|pytorch_model*.bin"}
    upstream = of("model", files, sums=False, files=patterns)
    result, folder = get(upstream)
    assert sorted(result.files) == ["a-1.safetensors", "a-2.safetensors", "config.json"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(result.files)
    for name in ("a-1.safetensors", "a-2.safetensors"):
        del site.repos["owner/repo"][name]
    assert "pytorch_model.bin" in get(upstream, "older")[0].files
    upstream = of("model", files, sums=False, files={"*.csv": "*.csv"})
    with pytest.raises(DataError):
        get(upstream, "none")


@pytest.mark.parametrize(
    "name", ["../a.json", "/etc/a.json", "a/../../b.csv", "b.py", "a.pkl", "c"]
)
def test_only_data_inside_the_folder_is_written(of, get, site, name, tmp_path):
    upstream = of("github", {"a.json": b"{}"}, files={name: "a.json"})
    with pytest.raises(DataError):
        get(upstream)
    upstream = of("dataset", {name: b"{}"}, sums=False, files={"*": "*", "**": "*/*/*/*"})
    with pytest.raises(DataError):
        get(upstream)
    assert site.asked[-1].path.startswith("api/") and not (tmp_path.parent / "a.json").exists()


def test_the_key_goes_to_the_hub_alone(of, get, site, monkeypatch):
    """Large files lie on another host; GitHub is one too."""
    from stand_in import Server, Site

    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    site.gated, site.large = True, {"a/test.jsonl"}
    elsewhere = Site(repos={"owner/repo": FILES})
    with Server(elsewhere) as other:
        site.elsewhere = other.url
        get(of("dataset", FILES))
        assert {asked.key for asked in site.asked} == {"Bearer hf_secret"}
        assert [asked.key for asked in elsewhere.asked] == [None]
        monkeypatch.setenv("UNIAPL_GITHUB_RAW", other.url)
        get(of("github", FILES), "there")
        assert {asked.key for asked in elsewhere.asked} == {None}


def test_a_gated_file_says_how_to_get_access(of, get, site, monkeypatch):
    site.gated = True
    upstream = of("dataset", FILES, gated=True)
    with pytest.raises(AccessDenied, match="HF_TOKEN"):
        get(upstream)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert get(upstream)[0].new == 2


def test_no_network_and_an_offline_hub_are_one_line(of, get, monkeypatch, host):
    upstream = of(host, FILES)
    for variable in ("HF_ENDPOINT", "UNIAPL_GITHUB_RAW"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    with pytest.raises(DataError) as caught:
        get(upstream)
    assert caught.value.got == "127.0.0.1:9"
    if host != "github":
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        with pytest.raises(DataError, match="HF_HUB_OFFLINE"):
            get(upstream)


@pytest.mark.parametrize("text", ["", "[]", '{"it": 1}', "{"])
def test_a_damaged_record_is_named(of, get, tmp_path, text):
    (tmp_path / "fetched.json").write_text(text)
    with pytest.raises(UniAPLError, match="fetched.json"):
        get(of("github", FILES))
