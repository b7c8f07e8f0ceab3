"""uniapl data fetch: what it lists, what it takes, and how it ends."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from stand_in import Server, Site
from typer.testing import CliRunner

from uniapl_cli.cli.app import app
from uniapl_cli.commands import fetch_data
from uniapl_cli.errors import UniAPLError
from uniapl_cli.fetching import TRAINING, Web
from uniapl_cli.upstream import Upstream

ROWS = b'{"question": "1 + 1", "answer": "#### 2"}\n'


def uniapl(*words):
    return CliRunner().invoke(app, ["data", "fetch", *words])


def upstream(host="github", revision="b" * 40, licence="MIT", **more):
    sums = {} if revision is None else {"test.jsonl": hashlib.sha256(ROWS).hexdigest()}
    files = {"test.jsonl": "data/test.jsonl"}
    return Upstream(host, "owner/repo", revision, files, licence, sums, len(ROWS), **more)


@pytest.fixture
def catalogue(site, monkeypatch):
    """catalogue(name=upstream, ...): the training sets are these."""
    site.repos["owner/repo"] = {"data/test.jsonl": ROWS}

    def put(**upstreams):
        monkeypatch.setattr(fetch_data, "TRAINING", upstreams)

    return put


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("a network was asked")

    monkeypatch.setattr(Web, "open", refuse)


def test_a_list_and_a_dry_run_ask_no_network(no_network, tmp_path):
    result = uniapl("--json")
    listed = json.loads(result.stdout)
    names = {item["name"] for item in listed["items"]}
    assert {"qwen3-0.6b", "polar-1.8b", "autoif", "if_multi"} <= names
    result = uniapl("training", "qwen3-0.6b", "--dry-run", "--json", "--out", str(tmp_path))
    listed = json.loads(result.stdout)
    assert {item["name"] for item in listed["items"]} == {*TRAINING, "qwen3-0.6b"}
    sizes = [item["bytes"] for item in listed["items"]]
    assert listed["known_bytes"] == sum(size for size in sizes if size is not None)
    assert listed["unknown"] == sizes.count(None)
    assert list(tmp_path.iterdir()) == []
    assert uniapl().exit_code == uniapl("models", "--dry-run").exit_code == 0


def test_a_dry_run_says_what_is_there(no_network, tmp_path):
    folder = tmp_path / "training" / "gsm8k_train"
    folder.mkdir(parents=True)
    (folder / "train.jsonl").write_bytes(ROWS)
    result = uniapl("gsm8k_train", "--dry-run", "--json", "--out", str(tmp_path))
    assert [item["there"] for item in json.loads(result.stdout)["items"]] == [1]


def test_a_group_leaves_out_what_is_only_fetched_by_its_name():
    chosen = fetch_data.choose(["models", "qwen3-0.6b"])
    names = [item.name for item in chosen]
    assert len(names) == len(set(names)) and "qwen3-235b-instruct-2507" not in names
    assert fetch_data.choose(["qwen3-235b-instruct-2507"])


def test_an_unknown_name_is_an_error_with_the_nearest():
    with pytest.raises(UniAPLError) as caught:
        fetch_data.choose(["gsm8k_trian"])
    assert caught.value.suggestion == "gsm8k_train" and caught.value.got == "gsm8k_trian"
    assert uniapl("gsm8k_trian").exit_code == 2


def test_what_was_fetched_is_printed_and_recorded(catalogue, tmp_path):
    catalogue(mine=upstream(), theirs=upstream("dataset", None, "CC-BY-NC-2.0"))
    result = uniapl("training", "--out", str(tmp_path), "--json")
    assert result.exit_code == 0, result.output
    items = {item["name"]: item for item in json.loads(result.stdout)["items"]}
    assert [items[name]["new"] for name in ("mine", "theirs")] == [1, 1]
    assert items["theirs"]["non_commercial"] and not items["theirs"]["pinned"]
    assert items["theirs"]["commit"] == "a" * 40
    assert "non-commercial" in result.stderr
    records = json.loads((tmp_path / "fetched.json").read_text())
    assert set(records) == {"mine", "theirs"}
    assert [records[name]["non_commercial"] for name in ("mine", "theirs")] == [False, True]
    table = uniapl("training", "--out", str(tmp_path))
    assert table.exit_code == 0 and "not pinned" in table.stdout


def test_what_needs_a_login_does_not_keep_the_rest_from_coming(catalogue, site, tmp_path):
    site.gated = True
    catalogue(gated=upstream("dataset", gated=True), open=upstream())
    site.statuses = [200, 200]
    result = uniapl("training", "--out", str(tmp_path))
    assert result.exit_code == 2 and "HF_TOKEN" in result.stderr.splitlines()[-1]
    site.gated = False
    assert uniapl("gated", "--out", str(tmp_path)).exit_code == 0


def test_no_network_is_one_line(catalogue, monkeypatch, tmp_path):
    catalogue(mine=upstream())
    monkeypatch.setenv("UNIAPL_GITHUB_RAW", "http://127.0.0.1:9")
    result = uniapl("mine", "--out", str(tmp_path))
    assert result.exit_code == 2
    errors = [line for line in result.stderr.splitlines() if "error" in line]
    assert len(errors) == 1 and "127.0.0.1:9" in errors[0]


LARGE = bytes(range(256)) * 8192  # 2 MiB
PROGRAM = """
import hashlib, sys
from uniapl_cli.commands import fetch_data
from uniapl_cli.cli.app import main
from uniapl_cli.upstream import Upstream
sums = {"test.jsonl": hashlib.sha256(bytes(range(256)) * 8192).hexdigest()}
files = {"test.jsonl": "data/test.jsonl"}
fetch_data.TRAINING = {
    "mine": Upstream("github", "owner/repo", "b" * 40, files, "MIT", sums, None)
}
main()
"""


@pytest.mark.slow
def test_kills_cost_nothing_but_what_was_under_way(tmp_path):
    """SIGKILL and SIGTERM while a file comes: the next command goes on where it was."""
    site = Site(repos={"owner/repo": {"data/test.jsonl": LARGE}}, slow=0.05)
    with Server(site) as server:
        environment = {**os.environ, "UNIAPL_GITHUB_RAW": server.url}
        command = [sys.executable, "-c", PROGRAM, "data", "fetch", "mine", "--out", str(tmp_path)]
        for number, kind in enumerate((signal.SIGKILL, signal.SIGTERM), 1):
            process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
            wait_until(lambda n=number: came(tmp_path) > n * 300_000)
            process.send_signal(kind)
            process.communicate(timeout=30)
            assert not (tmp_path / "training" / "mine" / "test.jsonl").exists()
        site.slow = 0.0
        assert subprocess.run(command, env=environment, timeout=60).returncode == 0
    starts = [int((asked.range or "bytes=0-")[6:-1]) for asked in site.asked]
    assert starts == sorted(starts) and starts[1] > 300_000 and starts[2] > 600_000
    assert (tmp_path / "training" / "mine" / "test.jsonl").read_bytes() == LARGE
    assert [path.name for path in (tmp_path / "training" / "mine").iterdir()] == ["test.jsonl"]


def came(folder):
    return sum(path.stat().st_size for path in folder.rglob("*.part"))


def wait_until(true, seconds=30.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)
