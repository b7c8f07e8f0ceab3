"""Files that are wrong in ways of their own: exit code 2 and one line, with the key and its place.

Each is what somebody who mistypes, mixes kinds or comes from another version would write.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from uniapl_cli import load_config
from uniapl_cli.cli.app import app
from uniapl_cli.commands.method import plan
from uniapl_cli.errors import ConfigError

FILES = Path(__file__).parent / "files"
# file -> the command, the key and the line at fault, and what was probably meant
WRONG = {
    "signals_of_old": ("train grpo", "signals.verifier", 4, "rewards.verifier"),
    "reward_beside_its_objective": (
        "config check -m grpo", "terms.preference.reward", 7, "terms.preference.objective.reward",
    ),
    "dots_as_on_the_command_line": ("train sft", "model.path", 2, None),
    "leading_zero": ("train sft --dry-run", "training.steps", 3, None),
    "terms_in_a_list": ("config show", "terms", 2, None),
    "merged_one_level_too_high": (
        "eval", "eval.draws.hot.temperature", 3, "eval.draws.hot.sampling.temperature",
    ),
    "windows": ("teacher-gen", "teach.sampling.temprature", 7, "teach.sampling.temperature"),
    "a_runs_config_by_hand": (
        "train sft", "terms.imitation.weights", 14, "terms.imitation.weight",
    ),
    "option_of_another_kind": ("score", "discriminator.max_length", 5, None),
    "peak_of_a_number": ("config check -m grpo", "schedules.beta_kl.end", 3, None),
    "a_tower_of_brackets": ("pretrain-polar", None, 5, None),
    "beyond_every_float": ("train sft", "optim.lr", 5, None),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_told_in_one_line(name: str) -> None:
    command, key, line, _ = WRONG[name]
    file = FILES / f"{name}.yaml"
    result = CliRunner().invoke(app, [*command.split(), "--config", str(file)])
    (message,) = result.stderr.splitlines()
    assert result.exit_code == 2 and result.stdout == ""
    assert message.startswith(f"error: {file}:{line}: ") and (key or "") in message
    assert len(message) < 500


@pytest.mark.parametrize("name", WRONG)
def test_its_error_says_what_was_meant(name: str) -> None:
    _, key, line, suggestion = WRONG[name]
    with pytest.raises(ConfigError) as caught:
        plan(load_config(FILES / f"{name}.yaml", [], None))
    error = caught.value
    assert (error.key, error.line, error.suggestion) == (key, line, suggestion)


def test_all_files_are_tried() -> None:
    assert sorted(WRONG) == sorted(path.stem for path in FILES.iterdir())
