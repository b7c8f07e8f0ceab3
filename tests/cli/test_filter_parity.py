"""filter-gt on three models' answers to IFEval, against the official verdicts."""

import json
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
FILES = ("gpt4_eval_results", "mifeval_en_mistral-7b-v0.3", "mifeval_en_qwen2.5-1.5b-gptq")
LANGDETECT = {
    "language:response_language",
    "change_case:english_capital",
    "change_case:english_lowercase",
}
RANDOM = {(1122, "keywords:letter_frequency"), (1129, "keywords:letter_frequency")}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.shared,
    pytest.mark.skipif(not (SHARED / "ifeval").is_dir(), reason="shared/data/ifeval is not here"),
]


def read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def filtered(program, folder: Path, name: str) -> dict[str, dict]:
    """Run filter-gt on a model's answers; all rows by prompt."""
    official = read(SHARED / "ifeval" / f"{name}_strict.part1.jsonl")
    rows = [{"prompt": row["prompt"], "response": row["response"]} for row in official]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "responses.jsonl").write_text(text, encoding="utf-8")
    words = ["filter-gt", "--json", "filter.responses=responses.jsonl", "filter.out=kept.jsonl"]
    words += [f"filter.constraints={SHARED / 'ifeval' / 'input_data.jsonl'}"]
    words += ["filter.rejected=rejected.jsonl"]
    result = program(words, cwd=folder, env={"NLTK_DATA": str(SHARED / "nltk")})
    assert result.returncode == 0, result.stderr
    kept, rejected = read(folder / "kept.jsonl"), read(folder / "rejected.jsonl")
    counts = json.loads(result.stdout)
    assert (counts["kept"], counts["rejected"]) == (len(kept), len(rejected))
    assert len(kept) + len(rejected) == len(rows)
    assert all(all(row["verdict"]["strict"]) for row in kept)
    assert all(row["failed"] for row in rejected)
    return {row["prompt"]: row for row in (*kept, *rejected)}


@pytest.mark.parametrize("name", FILES)
def test_every_verdict_is_the_official_one(program, tmp_path, name):
    rows = filtered(program, tmp_path, name)
    compared = 0
    for mode in ("strict", "loose"):
        for official in read(SHARED / "ifeval" / f"{name}_{mode}.part1.jsonl"):
            row = rows[official["prompt"]]
            decisions = zip(
                row["instruction_id_list"],
                row["verdict"][mode],
                official["follow_instruction_list"],
                strict=True,
            )
            for id, ours, theirs in decisions:
                if id not in LANGDETECT and (row["key"], id) not in RANDOM:
                    assert ours == theirs, (row["key"], id, mode)
                    compared += 1
    assert compared == 736
