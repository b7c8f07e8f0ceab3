"""MMLU-Pro, on made-up rows."""

from exam_files import as_mmlu_pro

from uniapl_cli.evaluation.benchmarks import benchmarks


def test_the_shots_of_mmlu_pro_are_the_categorys_five_as_turns(tmp_path):
    data = as_mmlu_pro(tmp_path)
    none, five = (benchmarks.options("mmlu_pro", shots=shots).items(data) for shots in (0, 5))
    header = "The following are multiple choice questions (with answers) about computer science."
    assert all(item.turns[0].question.startswith(header) for item in none)
    assert {len(item.shots) for item in none} == {0}
    (shots,) = {item.shots for item in five}
    assert len(shots) == 10 and shots[0].content.startswith(header)
    assert sum(header in message.content for message in shots) == 1
    assert {message.content for message in shots[1::2]} == {
        "Let's think step by step. The answer is (B)."
    }
    assert all(item.turns[0].question.startswith("Question:\ntest ") for item in five)
    assert [item.turns[0].constraints[0].kwargs["options"] for item in none] == [3, 10, 5, 10, 4]
    assert not any("N/A" in item.turns[0].question for item in none)
