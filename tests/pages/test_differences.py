"""In what configs differ: seeds in one column, absent parts in one row, own folders apart."""

from small_study import write_run

from uniapl_cli.pages.differences import FOLDER, NOT_SET, differences
from uniapl_cli.pages.study import Run, read_study


def run(name: str, config: dict) -> Run:
    return Run(name, None, "", config, {}, {})


def test_the_keys_that_differ_are_rows_and_the_seeds_of_a_run_are_a_column(study):
    found = differences(study.runs)
    assert list(found.columns) == ["sft", "unified (2 seeds)"]
    assert dict(found.rows) == {
        "seed": ["0", "0, 1"],
        "method": ["sft", "unified"],
        "optim.lr": ["0.001", "0.002"],
    }
    assert found.equal == 2  # model.path, training.steps
    assert found.own == ["run.dir", "eval.name", "eval.out"]


def test_a_part_that_a_run_lacks_is_one_row():
    term = {"source": "rollouts", "objective": {"kind": "kl"}}
    found = differences([run("a", {"terms": {"kl": term}}), run("b", {"terms": {}})])
    assert found.rows == [("terms.kl", ["source: rollouts\nobjective.kind: kl", NOT_SET])]


def test_a_part_that_all_have_differs_by_key():
    configs = [{"terms": {"kl": {"weight": n, "source": "rollouts"}}} for n in (1, 2)]
    found = differences([run("a", configs[0]), run("b", configs[1])])
    assert found.rows == [("terms.kl.weight", ["1", "2"])]
    assert found.equal == 1


def test_a_folder_below_the_run_s_own_is_not_another_s():
    configs = [
        {"run": {"dir": f"w/{name}"}, "model": {"path": path}}
        for name, path in (("a", "w/a/start"), ("b", "w/a/start"))
    ]
    found = differences([run("a", configs[0]), run("b", configs[1])])
    assert found.rows == [("model.path", [f"{FOLDER}/start", "w/a/start"])]


def test_a_method_named_like_its_run_still_differs():
    configs = [{"run": {"dir": f"w/{name}"}, "method": name} for name in ("sft", "grpo")]
    found = differences([run("sft", configs[0]), run("grpo", configs[1])])
    assert found.rows == [("method", ["sft", "grpo"])]


def test_one_run_differs_from_none(tmp_path):
    write_run(tmp_path / "sft", "sft")
    found = differences(read_study(tmp_path).runs)
    assert found.rows == [] and found.own == []
