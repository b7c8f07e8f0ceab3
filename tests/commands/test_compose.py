"""uniapl data compose: what is read, what is dropped, what is written and what is said."""

import json
import logging
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from uniapl_cli import load_config
from uniapl_cli.cli.app import app
from uniapl_cli.commands import compose as command
from uniapl_cli.composing import KINDS, Composer
from uniapl_cli.composing.kinds import GROUPS
from uniapl_cli.errors import ConfigError, DataError, UniAPLError
from uniapl_cli.evaluation.contamination import overlap
from uniapl_cli.evaluation.ngrams import Index

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
LONG = (
    "Seven tall sailors in yellow coats were counting the lamps of the old harbour town before "
    "the first ferry of the morning came in."
)
PLAIN = {"prompt": "Why do harbour towns have so many lamps?"}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name, rows):
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def compose(*overrides, **options):
    return command.compose(load_config(None, ["compose.out=out.jsonl", *overrides]), **options)


def written(name="out.jsonl"):
    return [json.loads(line) for line in Path(name).read_text().splitlines()]


@pytest.fixture
def ifeval():
    """IFEval's file where `uniapl data fetch` puts it, with prompts of this test's."""
    rows = [
        {"key": n, "prompt": text, "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
        for n, text in enumerate((f"{LONG} Use no comma.", "Write about ants."))
    ]
    write("data/benchmarks/ifeval/input_data.jsonl", rows)


def test_it_says_what_it_wrote(caplog):
    result = compose("compose.rows=120")
    rows = written()
    counts = Counter(id for row in rows for id in row["instruction_id_list"])
    assert result["rows"] == len(rows) == 120
    assert result["rows by instruction"] == {id: counts[id] for id in KINDS}
    sizes = Counter(len(row["kwargs"]) for row in rows)
    assert result["rows by number of instructions"] == dict(sorted(sizes.items()))
    assert result["overlap"] is None
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1 and "data/benchmarks/ifeval" in said[0]


def test_the_seed_and_nothing_else_decides_the_bytes():
    def run(*overrides):
        compose("compose.rows=60", *overrides)
        return Path("out.jsonl").read_bytes()

    assert run() == run() == run("run.threads=1")
    assert run("seed=1") != run()
    assert run("compose.rows=90").startswith(run())


def test_what_is_read_may_have_any_layout(ifeval):
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": LONG[20:60]}]
    answered = [*turns, {"role": "assistant", "content": "So"}]
    tools = [{"type": "function", "function": {"name": "f"}}]
    write("chat.jsonl", [{"id": "c", "messages": answered, "tools": tools}])
    write("math.jsonl", [{"id": "m", "question": "What is 2 + 2?", "answer": "4"}])
    for name in ("chat", "math"):
        result = compose(f"compose.prompts={name}.jsonl", "compose.rows=12")
        assert result["questions"] == 1
        rows = written()
        assert {row["source"] for row in rows} == {name[0]}
        assert not {"response", "reference", "answer"} & {key for row in rows for key in row}
    assert rows[0]["prompt"].startswith("What is 2 + 2?")
    read = compose("compose.prompts=chat.jsonl", "compose.rows=3")
    assert [turn["role"] for turn in written()[0]["prompt"]] == ["system", "user"]
    assert written()[0]["tools"] == tools
    assert read["overlap"]["prompts"] == 2
    # and what is written can be read in turn
    config = load_config(None, ["data.prompts=out.jsonl"])
    from uniapl_cli.commands.streams import bad_rows, examples

    with bad_rows(config) as bad:
        again = examples(config, "data.prompts", "out.jsonl", bad, "prompts")
    assert [bool(row.constraints) for row in again] == [True] * 3


def test_questions_that_ifeval_has_are_dropped_and_counted(ifeval):
    write("own.jsonl", [{"prompt": LONG}, PLAIN, {"prompt": f"Say why: {LONG.upper()}"}])
    result = compose("compose.prompts=own.jsonl", "compose.rows=10")
    assert result["overlap"]["questions dropped"] == 2
    assert result["overlap"]["rows dropped"] == 0
    assert result["questions"] == 1
    assert all(row["question"] == PLAIN["prompt"] for row in written())


def test_rows_that_ifeval_has_are_drawn_anew(monkeypatch):
    first = list(Composer(list(KINDS.values())).rows(30))
    stolen = next(row for row in first if len(row["prompt"].split()) > 20)
    bench = {"key": 1, "prompt": stolen["prompt"], "instruction_id_list": [], "kwargs": []}
    write("data/benchmarks/ifeval/input_data.jsonl", [bench])
    result = compose("compose.rows=30")
    assert result["overlap"]["rows dropped"] >= 1
    rows = written()
    assert len(rows) == 30 and stolen["prompt"] not in [row["prompt"] for row in rows]
    with pytest.raises(DataError) as error:
        compose("compose.rows=30", "compose.overlap=error")
    assert (error.value.key, error.value.got) == ("compose.overlap", "1")
    assert written() == rows


@pytest.mark.parametrize("shared", [True, False])
def test_overlap_may_be_an_error(ifeval, shared):
    write("own.jsonl", [PLAIN, {"prompt": LONG if shared else LONG[:60]}])
    given = ("compose.prompts=own.jsonl", "compose.rows=4", "compose.overlap=error")
    if not shared:
        assert compose(*given)["rows"] == 4
        return
    with pytest.raises(DataError) as error:
        compose(*given)
    assert (error.value.where, error.value.got) == ("own.jsonl:2", "0")
    assert not Path("out.jsonl").exists()
    with pytest.raises(ConfigError) as error:
        write("own.jsonl", [{"prompt": LONG}])
        compose(*given[:2])
    assert error.value.key == "compose.prompts"


def test_a_text_shares_what_the_measure_of_contamination_finds():
    questions = {"a": LONG, "b": "Write about ants.", "c": "Tell me of the sea " * 4}
    index = Index(list(questions.values()), 13)
    texts = [LONG, LONG[:90], f"Well, write about ants. {LONG}", "the sea", "", questions["c"]]
    for text in texts:
        alone = {id for id in questions if id in overlap(questions, [text]).ids}
        assert {list(questions)[at] for at in index.shared(text)} == alone, text
    assert not any(index.found())


def test_a_dry_run_reads_everything_and_writes_nothing(folder, ifeval):
    write("own.jsonl", [{"prompt": LONG}, PLAIN])
    before = {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")}
    result = compose("compose.prompts=own.jsonl", "compose.rows=9", dry_run=True)
    assert (result["rows"], result["questions"], result["instructions"]) == (9, 1, 54)
    assert {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")} == before


def test_a_dry_run_finds_that_no_row_can_be_composed():
    with pytest.raises(DataError) as error:
        compose("compose.instructions=[copy:copy]", "compose.fewest=2", dry_run=True)
    assert (error.value.key, error.value.got) == ("compose.fewest", 0)
    assert "compose.fewest=2" in str(error.value.where)


def test_a_dry_run_finds_bad_rows():
    write("own.jsonl", [PLAIN, {}])
    with pytest.raises(DataError) as error:
        compose("compose.prompts=own.jsonl", dry_run=True)
    assert error.value.where == "own.jsonl:2"


def test_instructions_are_chosen_by_id_and_by_group(caplog):
    ids = compose("compose.rows=40", "compose.instructions=[ifevalg]")["rows by instruction"]
    assert list(ids) == list(GROUPS["ifevalg"])
    named = "compose.instructions=[ifeval,copy:copy]"
    ids = compose("compose.rows=40", named, "compose.without=[language:response_language]")
    assert set(ids["rows by instruction"]) == {*GROUPS["ifeval"], "copy:copy"} - {
        "language:response_language"
    }


def test_instructions_that_no_question_suits_are_named(caplog):
    write("own.jsonl", [{"prompt": "Sing a song"}, {"prompt": "Go on"}])
    with caplog.at_level(logging.WARNING, "uniapl"):
        result = compose("compose.prompts=own.jsonl", "compose.rows=100")
    unused = [id for id, count in result["rows by instruction"].items() if not count]
    assert "detectable_format:constrained_response" in unused
    assert all(id in caplog.records[-1].getMessage() for id in unused)
    caplog.clear()
    assert 0 in compose("compose.rows=20")["rows by instruction"].values()
    assert not any("punctuation" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(
    ("override", "key", "got"),
    [
        ("compose.instructions=[count:numbers]", "compose.instructions", "count:numbers"),
        ("compose.instructions=[answer:number]", "compose.instructions", "answer:number"),
        ("compose.without=[ifbench]", "compose.without", "ifbench"),
        ("compose.without=[ifeval,ifevalg]", "compose.without", ["ifeval", "ifevalg"]),
        ("compose.fewest=4", "compose.fewest", 4),
    ],
)
def test_what_cannot_be_chosen_is_refused(override, key, got):
    with pytest.raises(ConfigError) as error:
        compose(override)
    assert (error.value.key, error.value.got) == (key, got)
    assert override in str(error.value.where)


def test_no_instruction_of_ifbench_is_ever_taken():
    from uniapl_cli.verifiers import verifiers

    held = [id for id in verifiers if verifiers[id].traits.get("evaluation")]
    assert len(held) >= 58
    assert not KINDS.keys() & set(held)
    for id in held[::12]:
        with pytest.raises(ConfigError):
            compose(f"compose.instructions=[{id}]")


BAD = {
    "instructions": {**PLAIN, "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]},
    "a tool's turn": {
        "messages": [
            {"role": "user", "content": "Look."},
            {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f"}}]},
            {"role": "tool", "content": "3"},
        ]
    },
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_rows_that_take_no_instruction_are_bad_rows(bad):
    first = PLAIN if "prompt" in bad else {"messages": [{"role": "user", "content": "Hi there"}]}
    write("own.jsonl", [first, bad])
    with pytest.raises(DataError) as error:
        compose("compose.prompts=own.jsonl")
    assert error.value.where == "own.jsonl:2"
    if "prompt" in bad:
        given = ("compose.rows=5", "data.ignore=[instruction_id_list,kwargs]")
        assert compose("compose.prompts=own.jsonl", *given)["questions"] == 2
    tolerance = ("data.tolerance=1", "data.bad_rows=bad.jsonl")
    result = compose("compose.prompts=own.jsonl", "compose.rows=5", *tolerance)
    assert (result["questions"], len(written("bad.jsonl"))) == (1, 1)


def test_a_file_is_written_whole_or_stays_as_it_was(folder, monkeypatch):
    Path("out.jsonl").write_text("old")
    draw = Composer.draw

    def stopping(self, number, attempt=0):
        if number == 7:
            raise KeyboardInterrupt
        return draw(self, number, attempt)

    monkeypatch.setattr(Composer, "draw", stopping)
    with pytest.raises(KeyboardInterrupt) as stop:
        compose("compose.rows=20")
    assert "as it was" in stop.value.__notes__[0]
    assert [path.name for path in folder.iterdir()] == ["out.jsonl"]
    assert Path("out.jsonl").read_text() == "old"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_what_cannot_be_written_is_said_of_the_output():
    with pytest.raises(UniAPLError) as error:
        compose("compose.rows=3", "compose.out=/dev/full")
    assert error.value.key == "compose.out"
    assert "compose.out=/dev/full" in str(error.value.where)


def test_by_the_command_line(ifeval):
    words = ["data", "compose", "compose.out=out.jsonl", "compose.rows=7", "--json"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0 and json.loads(result.stdout)["rows"] == 7
    result = CliRunner().invoke(app, [*words, "compose.instructions=[punctuation:no_comas]"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1 and "'punctuation:no_comma'" in result.stderr


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="the reference data are not beside this checkout")
@pytest.mark.parametrize("n", [8, 13])
def test_composed_prompts_share_nothing_with_ifeval(n):
    result = compose(f"eval.benchmark_data={SHARED}", f"eval.contamination.n={n}")
    assert result["overlap"]["prompts"] == 541
    assert (result["overlap"]["rows dropped"], result["rows"]) == (0, 5000)
    assert min(result["rows by instruction"].values()) >= 20
