"""Encoded data from the disk are those of a reading: items, messages, bad rows, errors, batches."""

import json
import logging
import resource
import shutil
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import datasets
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from uniapl_cli.chat import Chat, read_template
from uniapl_cli.commands import reading
from uniapl_cli.commands.method import plan
from uniapl_cli.commands.streams import make_streams
from uniapl_cli.data import encode
from uniapl_cli.data.stored import arrow
from uniapl_cli.data.stored.cache import ITEMS, RECORD, ROWS
from uniapl_cli.errors import UniAPLError
from uniapl_cli.files import write_rows

NO_COMMA = {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
ROW = {"prompt": "Which tide is it?", "response": "It is high tide.", **NO_COMMA}
TURNS = [{"role": role, "content": f"{role} {n}"} for n in "12" for role in ("user", "assistant")]
CONTEXT = 512
# It leaves out thoughts of earlier turns.
QWEN = read_template("qwen3")


@pytest.fixture(autouse=True)
def small(monkeypatch, tmp_path):
    """Every data set is large enough to be kept, and is more than one chunk."""
    monkeypatch.setattr(encode, "CHUNK", 2)
    monkeypatch.setattr(arrow, "BATCH", 3)
    monkeypatch.setattr(reading, "LEAST_ROWS", 1)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def read(tiny_config, tokenizer):
    """read(method, *overrides, chat): what reading yields, says and leaves in bad.jsonl."""

    def run(method, *overrides, chat=None, dry_run=False, limit=nullcontext):
        files = [f"data.{name}=rows.jsonl" for name in ("demonstrations", "prompts", "preferences")]
        config = tiny_config(method, "run", *files, "data.cache=kept", *overrides)
        Path("bad.jsonl").unlink(missing_ok=True)
        said: list[tuple[int, str]] = []
        handler = logging.Handler()
        handler.emit = lambda record: said.append((record.levelno, record.getMessage()))
        log = logging.getLogger("uniapl")
        log.addHandler(handler)
        level = log.level
        log.setLevel(logging.INFO)
        error, items = None, {}
        try:
            method, chat = plan(config), chat or Chat(tokenizer)
            with limit():
                streams = make_streams(config, method, chat, CONTEXT, dry_run=dry_run)
            items = {name: list(stream.items) for name, stream in streams.items()}
        except UniAPLError as raised:
            error = str(raised), raised.key, raised.where
        finally:
            log.removeHandler(handler)
            log.setLevel(level)
        bad = Path("bad.jsonl").read_text() if Path("bad.jsonl").exists() else None
        run.about_the_cache = [one[1] for one in said if "kept" in one[1]]
        return items, [one for one in said if "kept" not in one[1]], bad, error

    return run


def entries():
    """The folders of entries; what was in the making is none."""
    return [path for path in Path("kept").glob("*") if not path.name.startswith(".")]


def same_in_all_ways(read, *how, **more):
    """Read without a cache, into one, from one; return what all three yield."""
    without = read(*how, "data.cache=null", **more)
    cold, warm = read(*how, **more), read(*how, **more)
    assert cold == without
    assert warm == without
    return without


text = st.sampled_from(
    [
        "Is it?",
        "<|im_end|>",
        "é 東京 👩‍🚀\u2028",
        "<think>so</think>No",
        "<think>open",
        " ",
        "x" * 900,
    ]
)
row = st.one_of(
    st.fixed_dictionaries(
        {"prompt": text, "response": text, **{name: st.just(v) for name, v in NO_COMMA.items()}},
        optional={
            "finish_reason": st.sampled_from(["stop", "length"]),
            "system": text,
            "extra": st.sampled_from([None, 1.5, 1e400, 10**30, [1, {"a": "b"}]]),
        },
    ),
    st.fixed_dictionaries({"messages": st.just(TURNS), "key": text}),
    st.sampled_from([{"prompt": "Hi", "response": "So.", "tools": [{"name": "f"}]}, {"prompt": 3}]),
)


@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    rows=st.lists(row, min_size=1, max_size=6),
    tolerance=st.sampled_from([0, 3]),
    layout=st.sampled_from(["auto", "each"]),
    turns=st.sampled_from(["last", "all"]),
    thinking=st.booleans(),
    method=st.sampled_from(["sft", "unified"]),
    overlong=st.sampled_from(["error", "drop", "truncate"]),
)
def test_all_ways_yield_and_say_the_same(
    read, tokenizer, rows, tolerance, layout, turns, thinking, method, overlong
):
    write_rows("rows.jsonl", [ROW, *rows])
    shutil.rmtree("kept", ignore_errors=True)
    overrides = [f"data.tolerance={tolerance}", "data.bad_rows=bad.jsonl", f"data.layout={layout}"]
    overrides += [f"data.assistant_turns={turns}", f"data.overlong={overlong}"]
    same_in_all_ways(read, method, *overrides, chat=Chat(tokenizer, thinking=thinking))


def test_bad_rows_and_counts_are_reported_again(read):
    cut = {**ROW, "finish_reason": "length"}
    thoughts = {**ROW, "response": "<think>so</think>No."}
    write_rows("rows.jsonl", [ROW, {"prompt": 3}, cut, {**ROW, "response": ""}, thoughts, cut])
    lenient = ("data.tolerance=2", "data.bad_rows=bad.jsonl")
    items, said, bad, error = same_in_all_ways(read, "sft", *lenient)
    assert (len(items["demonstrations"]), error) == (4, None)
    assert sorted(one.rpartition(": ")[2] for _, one in said)[:2] == ["1", "2"]
    assert [json.loads(line)["row"].get("prompt") for line in bad.splitlines()] == [
        3,
        ROW["prompt"],
    ]
    assert len(entries()) == 1
    # The same entry, and less is tolerated.
    stricter = same_in_all_ways(read, "sft", "data.tolerance=1", "data.bad_rows=bad.jsonl")
    assert "data.tolerance is 1" in stricter[3][0]
    assert len(entries()) == 1


def test_thoughts_of_a_prompt_that_comes_again_count_once(read, tokenizer):
    thoughts = {"role": "assistant", "content": "<think>so</think>No."}
    talk = {"messages": [TURNS[0], thoughts, *TURNS[2:]]}
    write_rows("rows.jsonl", [talk, {"messages": TURNS}, talk, talk, {"messages": TURNS}])
    own = tokenizer.__class__.from_pretrained(tokenizer.name_or_path)
    own.chat_template = QWEN
    items, said, _, _ = same_in_all_ways(read, "sft", chat=Chat(own))
    assert (len(items["demonstrations"]), [text[-3:] for _, text in said]) == (5, [": 1"])


def test_limits_are_held_to_stored_lengths(read):
    write_rows("rows.jsonl", [ROW, {**ROW, "response": "so " * 90}, {**ROW, "prompt": "a " * 60}])
    for choice in ("drop", "truncate"):
        limits = (f"data.overlong={choice}", "data.max_response_tokens=40")
        same_in_all_ways(read, "sft", *limits, "data.max_prompt_tokens=60")
    assert same_in_all_ways(read, "sft", "data.max_response_tokens=40")[3][1]
    assert len(entries()) == 1


def test_pairs_that_are_the_same_are_bad_rows_again(read):
    pair = {"prompt": "Hi", "chosen": "Yes.", "rejected": "No."}
    write_rows("rows.jsonl", [pair, {**pair, "rejected": "Yes."}, {**pair, "prompt": "Who?"}])
    lenient = ("data.tolerance=1", "data.bad_rows=bad.jsonl")
    items, _, bad, _ = same_in_all_ways(read, "dpo", *lenient)
    assert (len(items["preferences"]), len(bad.splitlines())) == (2, 1)
    same_in_all_ways(read, "kto", *lenient)  # reads the same answers
    assert len(entries()) == 1


CHANGES = {
    "the data": (lambda: write_rows("rows.jsonl", [ROW, {**ROW, "prompt": "Why?"}]), (), {}),
    "a layout": (None, ("data.layout=ifeval",), {}),
    "what is ignored": (None, ("data.ignore=[extra]",), {}),
    "the turns": (None, ("data.assistant_turns=all",), {}),
    "the answers": (None, (), {"method": "grpo"}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_decides_the_ids_makes_another_entry(read, change):
    write_rows("rows.jsonl", [ROW, {**ROW, "extra": 1}])
    read("sft")
    act, overrides, more = CHANGES[change]
    if act is not None:
        act()
    same_in_all_ways(read, more.get("method", "sft"), *overrides)
    assert len(entries()) == 2


def dated(tokenizer, day):
    """A chat whose template writes the date."""
    own = tokenizer.__class__.from_pretrained(tokenizer.name_or_path)
    own.chat_template = "{{ strftime_now('%d') }}" + tokenizer.chat_template
    return Chat(own, date=day)


def test_chats_that_encode_otherwise_make_another_entry(read, tokenizer):
    write_rows("rows.jsonl", [ROW, {**ROW, "response": "A tidewrack."}])
    added = tokenizer.__class__.from_pretrained(tokenizer.name_or_path)
    added.add_tokens(["tidewrack"])
    plain = Chat(tokenizer)
    chats = [
        *(plain, replace(plain, thinking=True), replace(plain, system="Be brief."), Chat(added)),
        *(dated(tokenizer, "2026-07-01"), dated(tokenizer, "2026-07-02")),
    ]
    for count, chat in enumerate(chats, 1):
        same_in_all_ways(read, "sft", chat=chat)
        assert len(entries()) == count
    # A date that the template does not write decides nothing.
    read("sft", chat=replace(plain, date="2026-07-01"))
    assert len(entries()) == len(chats)


def test_a_tokenizer_of_unknown_code_is_not_kept(read, tokenizer):
    own = tokenizer.__class__.from_pretrained(tokenizer.name_or_path)
    own.__class__ = type("Own", (own.__class__,), {})
    write_rows("rows.jsonl", [ROW])
    items, _, _, error = read("sft", chat=Chat(own))
    assert (len(items["demonstrations"]), error, entries()) == (1, None, [])


def test_few_rows_and_dry_runs_write_nothing(read, monkeypatch):
    write_rows("rows.jsonl", [ROW, ROW])
    read("sft", dry_run=True)
    read("sft", "data.cache=null")
    monkeypatch.setattr(reading, "LEAST_ROWS", 3)
    read("sft")
    assert not Path("kept").exists()


@pytest.mark.parametrize("name", [ROWS, ITEMS, RECORD])
@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_damage_is_found_said_and_made_anew(read, name, damage):
    write_rows("rows.jsonl", [ROW, ROW])
    without = read("sft", "data.cache=null")
    read("sft")
    [entry] = entries()
    content = bytearray((entry / name).read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "gone":
        (entry / name).unlink()
    else:
        (entry / name).write_bytes(content if damage == "flipped" else content[:-9])
    dry = read("sft", dry_run=True)
    damaged = read("sft")
    said = [one for one in read.about_the_cache if "damaged" in one]
    assert len(said) == (0 if (name, damage) == (RECORD, "gone") else 1)
    assert damaged[0] == dry[0] == without[0]
    assert read("sft") == without
    assert len(entries()) == 1


def test_a_folder_that_cannot_be_written_is_said_in_a_line(read, monkeypatch):
    write_rows("rows.jsonl", [ROW, ROW])
    without = read("sft", "data.cache=null")
    Path("kept").write_text("a file")
    assert read("sft") == without
    assert len(read.about_the_cache) == 1


def test_data_that_change_while_they_are_read_are_not_kept(read, monkeypatch):
    write_rows("rows.jsonl", [ROW, ROW])
    without = read("sft", "data.cache=null")
    whole = reading.open_rows

    def open_and_change(*arguments):
        rows = whole(*arguments)
        with Path("rows.jsonl").open("a") as file:
            file.write(json.dumps(ROW) + "\n")
        return rows

    monkeypatch.setattr(reading, "open_rows", open_and_change)
    assert read("sft") == without
    assert len(read.about_the_cache) == 1
    assert list(Path("kept").iterdir()) == []


def test_rows_that_json_cannot_hold_are_not_kept(read):
    rows = [{**ROW, "when": date(2026, 7, 1)}] * 2
    datasets.Dataset.from_list(rows).save_to_disk("saved")
    _, _, _, error = same_in_all_ways(read, "sft", "data.demonstrations=saved")
    assert error is None
    assert entries() == []


@contextmanager
def files_of(size):
    """Files may have so many bytes: more is an error, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [900, 3000, 5000])
def test_a_full_disk_is_said_in_a_line_and_leaves_nothing(read, size):
    lenient = ("data.tolerance=2", "data.bad_rows=bad.jsonl")
    refused = {"prompt": "Hi", "response": "So.", "tools": [{"name": "f"}]}
    write_rows(
        "rows.jsonl", [ROW, {"prompt": 3}, *[{**ROW, "response": "a b " * 200}] * 4, refused]
    )
    without = read("sft", "data.cache=null", *lenient)
    assert without[2]
    full = read("sft", *lenient, limit=partial(files_of, size))
    assert full == without
    assert len(read.about_the_cache) == 1
    assert not Path("kept").exists() or list(Path("kept").iterdir()) == []
