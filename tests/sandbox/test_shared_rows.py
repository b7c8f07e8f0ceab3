"""Real rows: AutoIF's functions against plain execution, HumanEval's and MBPP's solutions."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from uniapl_cli.sandbox import Call, Program, Sandbox, as_verdict, autoif_many

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
FILES = (
    "qwenlm_query_rft",
    "qwenlm_back_trans",
    "qwenlm_dpo_query_w_funcs",
    "flywheel_5_back_trans_fliter",
    "flywheel_6_instruction_filtered_query_prompt_results",
    "derived_with_funcs_layout",
)
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not (SHARED / "autoif").is_dir(), reason="shared/data/autoif is not here"),
]


@pytest.fixture(scope="module")
def pool() -> Iterator[Sandbox]:
    with Sandbox(workers=2, require=()) as box:
        yield box


def rows() -> Iterator[tuple[list[str], str]]:
    """Yield each row's functions with each text that its file has for them."""
    for name in FILES:
        for line in (SHARED / "autoif" / f"{name}.jsonl").open():
            row = json.loads(line)
            row = row[-1] if isinstance(row, list) else row
            sources = row.get("eval_funcs") or [source for source, _ in row["eval_func"]]
            texts = [text for text, _ in row.get("cases", [])] + row.get("gpt-answer", [])
            texts += [turn["content"] for turn in row.get("messages", ())]
            for text in texts:
                yield sources, text


def plainly(source: str, text: str) -> tuple[bool | None, str | None]:
    """Run a function of a trusted row in this interpreter."""
    try:
        with redirect_stdout(StringIO()):
            namespace = {"__name__": "__main__"}
            exec(source, namespace)
            return as_verdict(namespace["evaluate"](text)), None
    except Exception as error:  # noqa: BLE001
        return None, f"{type(error).__name__}: {error}"[:500]


@pytest.mark.slow
def test_autoif_s_functions_are_judged_as_by_plain_execution(pool):
    work = list(rows())
    expected = [[plainly(source, text) for source in sources] for sources, text in work]
    outcomes = autoif_many(pool, work)
    assert [[(o.value, o.error) for o in row] for row in outcomes] == expected
    counts = Counter(o.value for row in outcomes for o in row)
    assert counts == Counter(value for row in expected for value, _ in row)
    assert counts == {True: 608, False: 1586, None: 168}


def humaneval() -> list[dict[str, str]]:
    return [json.loads(line) for line in (SHARED / "humaneval" / "HumanEval.jsonl").open()]


def test_humaneval_s_solutions_pass_and_empty_ones_do_not(pool):
    def program(task: dict[str, str], completion: str) -> Program:
        end = f"\n{task['test']}\ncheck({task['entry_point']})"
        return Program(task["prompt"] + completion + end)

    tasks = humaneval()
    assert len(tasks) == 164
    solved = pool.run(program(task, task["canonical_solution"]) for task in tasks)
    assert [outcome.error for outcome in solved if outcome.value is not True] == []
    empty = pool.run(program(task, "    pass\n") for task in tasks)
    assert not [outcome for outcome in empty if outcome.value is True]


@pytest.mark.slow
def test_mbpp_s_solutions_pass(pool):
    tasks = json.loads((SHARED / "mbpp" / "sanitized-mbpp.json").read_text())
    programs = ["\n".join([*t["test_imports"], t["code"], *t["test_list"]]) for t in tasks]
    outcomes = pool.run(map(Program, programs))
    failed = [t["task_id"] for t, o in zip(tasks, outcomes, strict=True) if o.value is not True]
    assert (len(tasks), failed) == (427, [])


def test_a_call_may_be_made_of_a_humaneval_function(pool):
    task = humaneval()[0]
    call = Call(
        task["prompt"] + task["canonical_solution"], task["entry_point"], ([1.0, 2.8, 3.0], 0.3)
    )
    assert pool.run([call])[0].value is True
