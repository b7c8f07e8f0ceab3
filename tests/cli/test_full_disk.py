"""A disk that fills up, as by `ulimit -f`, costs one line, and nothing of what was done before."""

import json
import resource

import pytest

pytestmark = pytest.mark.slow

STEPS = 4
TRAIN = f"training.steps={STEPS} run.save_every=1 training.max_idle_updates=0 optim.lr=0.003"


@pytest.fixture
def run(programs, enough, folder):
    """run(command, size): (code, stderr) of the program, whose files may have `size` bytes."""

    def start(command: str, size: int = resource.RLIM_INFINITY) -> tuple[int, str]:
        words = command.split()
        head = 2 if words[0] == "train" else 1
        process = programs.start([*words[:head], *enough[words[0]], *words[head:]], folder, size)
        _, err = process.communicate()
        return process.returncode, err

    return start


def sizes(folder):
    """The sizes of a run's files, smallest first."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return sorted({path.stat().st_size for path in files})


def test_training_goes_on_from_its_last_checkpoint(run, folder, weights, logged):
    """The disk is full at one file after the other."""
    assert run(f"train grpo {TRAIN} run.dir=whole")[0] == 0
    model = (folder / "whole" / "final" / "model.safetensors").stat().st_size
    for size in (4096, model // 2, max(sizes(folder / "whole")) - 1):
        code, err = run(f"train grpo {TRAIN}", size)
        lines = err.splitlines()
        assert code == 2, err
        assert lines[-1].startswith("error: ") and "Traceback" not in err
        assert "file too large" in lines[-1]
        assert not (folder / "run" / "final").exists()
        assert list((folder / "run").rglob(".*.tmp")) == []
    code, err = run(f"train grpo {TRAIN}")
    assert code == 0, err
    assert weights(folder / "run") == weights(folder / "whole")
    assert [row["step"] for row in logged(folder / "run")] == list(range(1, STEPS + 1))


@pytest.mark.parametrize(("verb", "out"), [("teacher-gen", "out"), ("score", "scored")])
def test_rows_that_fit_are_kept_and_gone_on_from(run, folder, rows, verb, out):
    many = [{**rows[0], "key": str(n)} for n in range(40)]
    (folder / "demo.jsonl").write_text("".join(json.dumps(row) + "\n" for row in many))
    key = {"teacher-gen": "teach", "score": "score"}[verb]
    more = "score.chunk=4" if verb == "score" else ""
    assert run(f"{verb} {more} {key}.out=whole.jsonl")[0] == 0
    whole = (folder / "whole.jsonl").read_bytes()
    code, err = run(f"{verb} {more}", len(whole) // 2)
    assert code == 2 and err.splitlines()[-1].startswith("error: ")
    kept = (folder / f"{out}.jsonl").read_bytes()
    assert kept.endswith(b"\n") and 0 < len(kept) <= len(whole) // 2
    count = kept.count(b"\n")
    assert f"{count} rows" in err.splitlines()[-1]
    assert run(f"{verb} {more}")[0] == 0
    assert (folder / f"{out}.jsonl").read_bytes() == whole


@pytest.mark.parametrize("verb", ["filter-gt", "eval"])
def test_files_that_do_not_fit_leave_what_was_there(run, folder, rows, verb):
    many = [{**rows[0], "key": str(n), "prompt": f"{n} {rows[0]['prompt']}"} for n in range(40)]
    (folder / "demo.jsonl").write_text("".join(json.dumps(row) + "\n" for row in many))
    (folder / "ev").mkdir()
    before = {}
    for name in ("kept.jsonl", "ev/responses.jsonl", "ev/eval.json"):
        (folder / name).write_text("old")
        before[name] = "old"
    more = " filter.out=other.jsonl filter.rejected=kept.jsonl" if verb == "filter-gt" else ""
    code, err = run(verb + more, 4200)
    assert code == 2, err
    assert err.splitlines()[-1].startswith("error: ")
    assert {name: (folder / name).read_text() for name in before} == before
    assert list(folder.rglob(".*.tmp")) == []
