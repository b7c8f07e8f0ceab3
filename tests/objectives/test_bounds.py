"""Options that no loss makes sense with are refused, each by its own name."""

import pytest
from pydantic import ValidationError

from uniapl_cli.objectives import advantages, objectives, reductions

SURROGATE = {"reward": "verifier"}


@pytest.mark.parametrize(
    ("registry", "name", "wrong", "options"),
    [
        (objectives, "dpo", {"beta": 0.0}, {}),
        (objectives, "dpo", {"label_smoothing": 0.5}, {}),
        (objectives, "kto", {"beta": -0.1}, {}),
        (objectives, "kto", {"desirable_weight": -1.0}, {}),
        (objectives, "surrogate", {"clip_low": 1.5}, SURROGATE),
        (objectives, "surrogate", {"clip_low": -0.1}, SURROGATE),
        (objectives, "surrogate", {"clip_high": -0.2}, SURROGATE),
        (objectives, "surrogate", {"dual_clip": 0.5}, SURROGATE),
        (objectives, "cispo", {"cap": 0.5}, SURROGATE),
        (objectives, "cispo", {"floor": 1.5}, SURROGATE),
        (objectives, "gmpo", {"clip_low": -0.4}, SURROGATE),
        (objectives, "gmpo", {"clip_high": -0.4}, SURROGATE),
        (objectives, "sapo", {"tau_pos": 0.0}, SURROGATE),
        (objectives, "sapo", {"tau_neg": -1.0}, SURROGATE),
        (objectives, "shaped", {"gamma": 0.0}, SURROGATE),
        (objectives, "multiple_importance", {"uniform": 0.0}, SURROGATE),
        (objectives, "multiple_importance", {"uniform": 1.5}, SURROGATE),
        (objectives, "kl", {"estimator": "k4"}, {}),
        (reductions, "constant", {"length": 0}, {}),
        (reductions, "constant", {"longest": 5}, {}),
        (advantages, "group", {"epsilon": 0.0}, {}),
        (advantages, "group", {"ddof": 2}, {}),
    ],
)
def test_a_value_outside_its_bounds_is_refused(registry, name, wrong, options):
    with pytest.raises(ValidationError) as caught:
        registry.options(name, **options, **wrong)
    (option,) = wrong
    assert {error["loc"][0] for error in caught.value.errors()} == {option}
