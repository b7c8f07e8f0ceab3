"""A draw that has no room is told by its name, with what takes it out."""

import pytest

from uniapl_cli import load_config
from uniapl_cli.commands.evaluate import evaluate
from uniapl_cli.errors import ConfigError


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_draw_without_room_is_told_by_its_name(tiny_data, tmp_path, dry_run):
    quick = "eval.draws={quick: {sampling: {max_new_tokens: 4}}}"
    common = ["eval.model=tiny:base", f"eval.data={tiny_data['few']}", "eval.limit=2"]
    common += [f"eval.out={tmp_path / 'out'}", quick, "run.device=cpu"]
    with pytest.raises(ConfigError) as caught:
        evaluate(load_config(None, common), dry_run=dry_run)
    assert caught.value.key == "eval.draws.greedy.sampling.max_new_tokens"
    assert "eval.draws.greedy=null" in caught.value.advice
    assert caught.value.got == 2048
    result = evaluate(load_config(None, [*common, "eval.draws.greedy=null"]))
    assert list(result["draws"]) == ["quick"]
