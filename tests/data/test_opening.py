"""Data as it lies on people's disks: folders, shards, patterns, compressed files, CSV."""

import gzip
import json
import logging
import os
from pathlib import Path

import datasets
import pyarrow.parquet
import pytest

from uniapl_cli.data import open_rows, paths_named
from uniapl_cli.errors import DataError

VALUES = [{"prompt": f"p{n}", "response": f"r{n}"} for n in range(4)]


class Collected(logging.Handler):
    """A handler that collects records."""

    def __init__(self, records):
        super().__init__()
        self.emit = records.append


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lines(values):
    return "".join(json.dumps(value) + "\n" for value in values)


def write(name, content):
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return name


def parquet(name, values):
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    datasets.Dataset.from_list(values).to_parquet(name)


def values(rows):
    return [row.values for row in rows]


def refused(name, *split):
    with pytest.raises(DataError) as caught:
        open_rows(name, *split)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["", ".gz"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rows.jsonl", lines(VALUES)),
        ("rows.ndjson", lines(VALUES)),
        ("rows.json", lines(VALUES)),
        ("rows.json", json.dumps(VALUES, indent=1)),
        ("rows.json", json.dumps(VALUES)),
        ("rows.json", json.dumps({"version": 2, "names": ["a"], "data": VALUES}, indent=1)),
        ("rows.csv", "prompt,response\n" + "".join(f'p{n},"r{n}"\r\n' for n in range(4))),
        ("rows.tsv", "prompt\tresponse\n" + "".join(f"p{n}\tr{n}\n" for n in range(4))),
    ],
    ids=["lines", "nd", "lines in .json", "indented", "one line", "in an object", "csv", "tsv"],
)
def test_each_kind_of_text_holds_the_same_rows(folder, name, text, end, bom):
    rows = open_rows(write(name + end, bom + text.encode()))
    assert values(rows) == VALUES
    assert rows[3] == rows[-1] and rows[0].origin.startswith(f"{name}{end}:")


def test_lines_of_a_compressed_file_keep_their_numbers(folder):
    rows = open_rows(write("rows.jsonl.gz", '{"a": 1}\n\n{"a": \n'))
    assert rows[0].origin == "rows.jsonl.gz:1"
    with pytest.raises(DataError) as caught:
        rows[1]
    assert caught.value.where == "rows.jsonl.gz:3"


def test_a_json_file_with_one_row_is_that_row(folder):
    row = {"messages": [{"role": "user", "content": "Hi"}]}
    assert values(open_rows(write("rows.json", json.dumps(row, indent=1)))) == [row]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{" * 5,
        '{"a": 1}',
        '{"a": [{}], "b": [{}]}',
        "5",
        "[1",
        '{"a": 1}{"a": 2}',
    ],
    ids=["deep", "torn", "no list", "two lists", "number", "torn list", "one line"],
)
def test_a_json_file_without_a_list_of_rows_is_refused(folder, text):
    assert refused(write("rows.json", text)).got == "rows.json"


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ('[{"a": 1}, {"b": {"c": 1, "c": 2}}]', "c"),
        ('[{"a": 1}, {"b": [{"a": 1, "a": 1}]}]', "a"),
        ('[{"a": 1}, {"b": "\\ud800"}]', "\\ud800"),
    ],
)
def test_a_bad_object_of_a_json_file_is_a_bad_row(folder, text, got):
    rows = open_rows(write("rows.json", text))
    assert rows[0].values == {"a": 1}
    with pytest.raises(DataError) as caught:
        rows[1]
    assert (caught.value.where, caught.value.got) == ("rows.json:[1]", got)


def test_a_cell_over_lines_and_a_short_row_of_csv(folder):
    rows = open_rows(write("rows.csv", 'prompt,response\n"a\nb",\n\nc,d,e\nNone,NA\n'))
    assert values(rows[:1]) == [{"prompt": "a\nb", "response": None}]
    assert (rows[0].origin, rows[2].origin) == ("rows.csv:2", "rows.csv:6")
    assert rows[2].values == {"prompt": "None", "response": "NA"}
    with pytest.raises(DataError) as caught:
        rows[1]
    assert (caught.value.where, caught.value.got) == ("rows.csv:5", 3)


def test_a_column_twice_in_csv_is_refused(folder):
    error = refused(write("rows.csv", "prompt,response,prompt\na,b,c\n"))
    assert (error.where, error.got) == ("rows.csv:1", "prompt")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.jsonl.gz", None),
        ("torn.jsonl.gz", gzip.compress(lines(VALUES).encode(), mtime=0)[:-12]),
        ("rows.parquet", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"),
        ("rows.jsonl", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"),
        ("rows.csv", b"prompt\n\xff\n"),
        ("rows.csv", b'prompt\n"a" b\n'),
        ("rows.jsonl.zst", b""),
        ("rows.xlsx", b""),
        ("rows", b""),
    ],
)
def test_a_file_that_cannot_be_read_is_named_in_one_line(folder, name, content):
    Path(name).write_bytes(b"no gzip" if content is None else content)
    assert str(refused(name).got) in name


@pytest.mark.parametrize("suffix", [".parquet", ".json", ".jsonl", ".csv"])
def test_a_file_without_rows_has_none_also_beside_others(folder, suffix):
    write(f"rows{suffix}", "")
    if suffix == ".parquet":
        datasets.Dataset.from_dict({"prompt": []}).to_parquet("rows.parquet")
    assert len(open_rows(f"rows{suffix}")) == 0
    parquet("more.parquet", VALUES)
    write("more.json", json.dumps(VALUES))
    write("more.jsonl", lines(VALUES))
    write("more.csv", "prompt,response\n" + "".join(f"p{n},r{n}\n" for n in range(4)))
    assert values(open_rows(f"*{suffix}")) == VALUES


def test_a_list_of_rows_twice_in_a_json_file_is_refused(folder):
    write("rows.json", '{"data": [{"prompt": "p"}], "data": [{"prompt": "q"}]}')
    assert refused("rows.json").got == "data"


def test_a_column_with_white_space_in_csv_is_refused(folder):
    write("rows.csv", "prompt, response\np, r\n")
    assert refused("rows.csv").got == " response"


def test_a_pipe_is_refused_at_once(folder):
    os.mkfifo("rows.jsonl")
    assert refused("rows.jsonl").got == "rows.jsonl"


def test_a_column_twice_in_parquet_is_one_line(folder, monkeypatch):
    logger = logging.getLogger("datasets")
    monkeypatch.setattr(logger, "level", logging.WARNING)
    errors = []
    monkeypatch.setattr(logger, "handlers", [Collected(errors)])
    table = pyarrow.table([["p"], ["r"], ["s"]], names=["prompt", "response", "response"])
    pyarrow.parquet.write_table(table, "rows.parquet")
    assert refused("rows.parquet").got == "rows.parquet"
    assert not errors  # `datasets` would log what the error says


def test_the_reason_of_a_parquet_file_is_in_the_errors_cause(folder, monkeypatch):
    parquet("rows.parquet", VALUES)

    def build(*_):
        try:
            raise ValueError("a struct of two kinds\nand more")
        except ValueError as cause:
            raise Exception("An error occurred while generating the dataset") from cause

    monkeypatch.setattr(datasets.Dataset, "from_parquet", build)
    assert "a struct of two kinds" in refused("rows.parquet").problem


@pytest.mark.parametrize("home", ["/proc/nohome", "sealed", "file"])
def test_a_cache_that_cannot_be_written_is_named(folder, monkeypatch, home):
    parquet("rows.parquet", VALUES)
    Path("sealed").mkdir(mode=0o500)
    Path("file").touch()
    cache = Path(home).absolute() / ".cache" / "huggingface"
    monkeypatch.setattr(datasets.config, "HF_CACHE_HOME", cache)

    def build(*_):
        raise PermissionError(13, "Permission denied", str(cache.parent))

    monkeypatch.setattr(datasets.Dataset, "from_parquet", build)
    assert "HF_HOME" in refused("rows.parquet").advice


def test_nulls_that_parquet_puts_into_turns_are_left_out(folder):
    calls = [{"function": {"name": "f", "arguments": {"a": 1}}}]
    turns = [[{"role": "user", "content": "Hi"}], [{"role": "assistant", "tool_calls": calls}]]
    parquet("rows.parquet", [{"messages": messages, "kwargs": [{"n": None}]} for messages in turns])
    rows = open_rows("rows.parquet")
    assert [row.values["messages"] for row in rows] == turns
    assert rows[0].values["kwargs"] == [{"n": None}]


def shards(split="train", suffix=".parquet"):
    return [f"clone/data/{split}-0000{n}-of-00002{suffix}" for n in range(2)]


def clone(suffix=".parquet"):
    """A folder as `git clone` leaves it of a data set with two shards."""
    write("clone/README.md", "---\nlicense: mit\n---\n# Rows\n")
    write("clone/.gitattributes", "*.parquet filter=lfs\n")
    for number, name in enumerate(shards(suffix=suffix)):
        part = VALUES[2 * number : 2 * number + 2]
        parquet(name, part) if suffix == ".parquet" else write(name, lines(part))
    return "clone"


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".jsonl.gz", ".json"])
def test_the_shards_of_a_folder_are_one_data_set(folder, suffix):
    rows = open_rows(clone(suffix))
    assert values(rows) == VALUES
    assert values(open_rows("clone", "train")) == VALUES
    assert rows[2].origin.startswith(f"{shards(suffix=suffix)[1]}:")
    assert values(open_rows(f"clone/data/*{suffix}")) == VALUES
    assert values(open_rows(f"{folder}/**/train-*")) == VALUES


def test_a_bad_line_of_a_shard_is_told_with_its_file(folder):
    clone(".jsonl")
    write(shards(suffix=".jsonl")[1], '{"a": 1}\n{"a": \n')
    bad = open_rows("clone").attempt(3)
    assert (bad.error.where, bad.content) == (f"{shards(suffix='.jsonl')[1]}:2", '{"a":')


@pytest.mark.parametrize(
    "names",
    [
        {"train": "train.jsonl", "test": "test.jsonl"},
        {"train": "data/train_0.jsonl", "validation": "data/dev_0.jsonl"},
        {"train": "train/a.jsonl", "test": "test/a.jsonl"},
        {"train": "train-00000-of-00001.jsonl", "train_sft": "train_sft-00000-of-00001.jsonl"},
    ],
)
def test_names_tell_the_splits_of_a_folder(folder, names):
    for split, name in names.items():
        write(f"set/{name}", lines([{"prompt": split}]))
    for split in names:
        assert values(open_rows("set", split)) == [{"prompt": split}]
    assert values(open_rows("set")) == [{"prompt": "train"}]
    assert refused("set", "tset").allowed == tuple(sorted(names))


def test_the_split_that_nobody_named_is_told_once(folder, caplog):
    for name in ("train", "test"):
        write(f"unnamed/{name}.jsonl", lines(VALUES))
    with caplog.at_level(logging.INFO, "uniapl"):
        open_rows("unnamed", "test")
        assert not caplog.records
        open_rows("unnamed")
        open_rows("unnamed")
    assert [record.args for record in caplog.records] == [("unnamed", "test, train", "data.split")]


def test_the_card_tells_the_splits_of_a_folder(folder):
    write("set/one.jsonl", lines(VALUES[:1]))
    write("set/more/two.jsonl", lines(VALUES[1:]))
    card = "configs:\n- config_name: default\n  data_files:\n"
    card += "  - {split: first, path: one.jsonl}\n  - {split: rest, path: 'more/*'}\n"
    write("set/README.md", f"---\n{card}---\n")
    assert values(open_rows("set", "rest")) == VALUES[1:]
    assert refused("set").allowed == ("first", "rest")
    second = "- config_name: other\n  data_files: one.jsonl\n"
    write("set/README.md", f"---\n{card}{second}---\n".replace("default", "usual"))
    assert refused("set").allowed == ("usual", "other")
    write("set/README.md", f"---\n{card}{second}  default: true\n---\n".replace("default\n", "a\n"))
    assert values(open_rows("set")) == VALUES[:1]


def card(config):
    write("set/README.md", f"---\nconfigs:\n- config_name: default\n  {config}\n---\n")


def test_the_card_names_the_folder_of_the_data(folder):
    write("set/data/a.jsonl", lines(VALUES[:2]))
    write("set/other/b.jsonl", lines(VALUES[2:]))
    card("data_dir: data")
    assert values(open_rows("set")) == VALUES[:2]
    card("data_dir: data\n  data_files: '*.jsonl'")
    assert values(open_rows("set")) == VALUES[:2]
    card("data_dir: absent")
    assert refused("set").got == "absent"


@pytest.mark.parametrize("pattern", ["/etc/*.conf", "", "a**b", "../*/b.jsonl"])
def test_the_card_names_files_of_its_folder_only(folder, pattern):
    write("set/a.jsonl", lines(VALUES))
    write("beside/b.jsonl", lines(VALUES))
    card(f"data_files: '{pattern}'")
    assert refused("set").got == pattern


def test_what_is_no_pattern_is_refused(folder):
    assert refused("a**b.jsonl").got == "a**b.jsonl"


def test_shards_that_are_missing_are_counted(folder, caplog):
    for n in (0, 2):
        write(f"set/train-0000{n}-of-00003.jsonl", lines(VALUES[n : n + 1]))
    assert values(open_rows("set")) == [VALUES[0], VALUES[2]]
    assert "1 of the 3 shards of 'train'" in caplog.text
    caplog.clear()
    write("set/train-00001-of-00003.jsonl", lines(VALUES[1:2]))
    assert len(open_rows("set")) == 3
    assert not caplog.records


def test_files_of_a_folder_that_are_not_read_are_named(folder, caplog):
    clone()
    write("clone/more.zip", "")
    with caplog.at_level(logging.WARNING):
        open_rows("clone")
    assert "more.zip" in caplog.text and "README" not in caplog.text


def test_a_folder_of_which_no_rows_are_known_is_refused(folder):
    clone()
    write("clone/data/train.csv", "prompt\n")
    assert refused("clone").got == [".csv", ".parquet"]
    Path("clone/data/train.csv").rename("clone/data/more.parquet")
    assert refused("clone").got == "data/more.parquet"
    Path("empty").mkdir()
    assert refused("empty").got == "empty"


def test_a_pattern_needs_files_of_one_kind(folder):
    clone()
    write("clone/data/a.jsonl", "{}")
    assert refused("clone/data/*").got == [".jsonl", ".parquet"]
    assert refused("clone/data/*.csv").got == "clone/data/*.csv"


def test_which_files_a_name_means(folder):
    clone()
    assert paths_named("clone") == [Path("clone")]
    assert paths_named("clone/data/*.parquet") == list(map(Path, shards()))
    assert paths_named("owner/name") == []


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.*", "saved", "set"])
def test_a_split_of_what_has_none_is_refused(folder, name):
    write("rows.jsonl", lines(VALUES))
    write("set/rows.jsonl", lines(VALUES))
    datasets.Dataset.from_list(VALUES).save_to_disk("saved")
    assert values(open_rows(name)) == VALUES
    error = refused(name, "nope")
    assert (error.key, error.got) == ("data.split", "nope")


@pytest.mark.parametrize("name", ["./absent", "/absent/folder", "a/b/c/d", "absent.jsonl"])
def test_a_path_that_is_not_there_is_not_sought_on_the_hub(folder, monkeypatch, name):
    monkeypatch.setattr(datasets, "load_dataset", None)
    assert refused(name).got == name.removeprefix("./")


def test_a_data_set_of_the_hub_is_named_with_its_config(folder, monkeypatch):
    tables = datasets.DatasetDict({"train": datasets.Dataset.from_list(VALUES)})
    names = []
    monkeypatch.setattr(datasets, "load_dataset", lambda *name: names.append(name) or tables)
    assert values(open_rows("owner/name")) == values(open_rows("owner/name/config")) == VALUES
    assert names == [("owner/name", None), ("owner/name", "config")]


@pytest.mark.parametrize("error", [ConnectionError("no\nnetwork"), KeyError("x"), Exception()])
def test_whatever_the_hub_says_is_one_line(folder, monkeypatch, error):
    def load(*_):
        raise error

    monkeypatch.setattr(datasets, "load_dataset", load)
    assert refused("owner/name").got == "owner/name"
