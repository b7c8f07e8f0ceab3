import pytest
import torch

from uniapl_cli.objectives import advantages

REWARDS = torch.tensor([1, 0, 0, 1, 0, 0, 0, 0], dtype=torch.float64)
ONE_GROUP = torch.zeros(8, dtype=torch.long)
BASELINED = [name for name in advantages if advantages[name].traits.get("contrast")]
SHIFTED = [name for name in BASELINED if name != "maxrl"]  # which a mean of 0 has no sense for

# Three groups, interleaved, one of them of one.
VALUES = torch.tensor([0.3, 1.0, -2.0, 0.5, 0.25, 7.0, 0.0], dtype=torch.float64)
GROUPS = torch.tensor([4, 0, 4, 0, 0, 9, 4])


@pytest.fixture(params=list(advantages))
def rule(request):
    return advantages[request.param].definition


# What each peer makes of REWARDS: a 1, a 0; from its own formula, to six digits.
PEERS = {
    "TRL, ms-swift": ("group", {}, (1.619835, -0.539945)),
    "verl, Trinity": ("group", {"epsilon": 1e-6}, (1.620182, -0.540061)),
    "OpenRLHF": ("group", {"epsilon": 1e-9}, (1.620185, -0.540062)),
    "open-instruct": ("group", {"epsilon": 1e-8, "ddof": 0}, (1.732051, -0.577350)),
    "Dr.GRPO": ("centred", {}, (0.75, -0.25)),
    "RLOO": ("leave_one_out", {}, (6 / 7, -2 / 7)),
    "NeMo-RL": ("leave_one_out", {"normalise": True}, (2.267781, -0.585539)),
    "ms-swift, REINFORCE++": ("reinforce_pp", {"over": "rows"}, (1.620185, -0.540062)),
    "prime-rl, MaxRL": ("maxrl", {}, (3.0, -1.0)),
    "Minimal-RL, RAFT": ("positive", {}, (1.0, 0.0)),
}


@pytest.mark.parametrize("peer", PEERS)
def test_the_published_examples(peer):
    name, options, golden = PEERS[peer]
    result = advantages.bind(advantages.options(name, **options))(REWARDS, ONE_GROUP)
    expected = [golden[0] if reward else golden[1] for reward in REWARDS]
    assert result.tolist() == pytest.approx(expected, abs=5e-7)


def test_raw_is_the_value_itself_in_memory_of_its_own():
    result = advantages["raw"].definition(VALUES, GROUPS)
    assert torch.equal(result, VALUES)
    assert result.data_ptr() != VALUES.data_ptr()


def test_there_is_one_finite_advantage_a_rollout(rule):
    result = rule(VALUES, GROUPS)
    assert result.shape == VALUES.shape
    assert result.isfinite().all()


def test_the_inputs_stay_as_they_were(rule):
    values, groups = VALUES.clone(), GROUPS.clone()
    rule(values, groups)
    assert torch.equal(values, VALUES)
    assert torch.equal(groups, GROUPS)


# Whose spread is that of the whole step.
WITHIN = [name for name in advantages if name not in ("batch", "reinforce_pp")]


@pytest.mark.parametrize("name", WITHIN)
def test_groups_do_not_see_each_other(name):
    rule = advantages[name].definition
    changed = torch.where(GROUPS == 4, 5 * VALUES - 3, VALUES)
    rest = GROUPS != 4
    assert torch.equal(rule(changed, GROUPS)[rest], rule(VALUES, GROUPS)[rest])
    assert torch.equal(rule(VALUES[rest], GROUPS[rest]), rule(VALUES, GROUPS)[rest])


def test_the_order_of_the_rollouts_does_not_matter(rule):
    order = torch.tensor([6, 2, 5, 0, 4, 1, 3])
    result = rule(VALUES[order], GROUPS[order])
    assert torch.allclose(result, rule(VALUES, GROUPS)[order], rtol=1e-12, atol=0)


def test_the_names_of_the_groups_do_not_matter(rule):
    renamed = torch.tensor([{4: 1, 0: 7, 9: 3}[int(group)] for group in GROUPS])
    assert torch.equal(rule(VALUES, renamed), rule(VALUES, GROUPS))


@pytest.mark.parametrize("name", BASELINED)
def test_a_group_of_one_learns_nothing(name):
    assert abs(advantages[name].definition(VALUES, GROUPS)[5]) < 1e-12


@pytest.mark.parametrize("name", BASELINED)
@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, -1e6])
def test_a_group_whose_rewards_are_equal_learns_nothing(name, value):
    result = advantages[name].definition(torch.full((8,), value, dtype=torch.float64), ONE_GROUP)
    assert result.abs().max() <= 1e-9


@pytest.mark.parametrize("name", SHIFTED)
def test_a_reward_that_all_get_changes_nothing(name):
    rule = advantages[name].definition
    assert torch.allclose(rule(VALUES + 10, GROUPS), rule(VALUES, GROUPS), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", BASELINED)
def test_the_advantages_of_a_group_sum_to_zero(name):
    result = advantages[name].definition(VALUES, GROUPS)
    assert [result[group == GROUPS].sum().item() for group in (0, 4, 9)] == pytest.approx([0] * 3)


def test_the_scale_of_the_rewards_is_divided_out():
    rule = advantages["group"].definition
    assert torch.allclose(rule(1000 * REWARDS, ONE_GROUP), rule(REWARDS, ONE_GROUP), rtol=5e-4)


def test_the_batchs_spread_is_that_of_all_its_values():
    values = torch.tensor([1.0, 3.0, 10.0, 10.0], dtype=torch.float64)
    result = advantages["batch"].definition(values, torch.tensor([0, 0, 1, 1]))
    std = values.std(correction=1).item() + 1e-4
    assert result.tolist() == pytest.approx([-1 / std, 1 / std, 0, 0])


def leave_one_out(**options):
    return advantages.bind(advantages.options("leave_one_out", normalise=True, **options))


@pytest.mark.parametrize("group", [0, 4])
def test_leaving_one_out_is_what_its_name_says(group):
    members = (group == GROUPS).nonzero().flatten().tolist()
    plain = advantages["leave_one_out"].definition(VALUES, GROUPS)
    scaled = leave_one_out(epsilon=0.0)(VALUES, GROUPS)
    for member in members:
        others = VALUES[[index for index in members if index != member]]
        assert plain[member].item() == pytest.approx((VALUES[member] - others.mean()).item())
        assert (scaled[member] * others.std(correction=1)).item() == pytest.approx(
            plain[member].item()
        )


def test_where_the_others_agree_there_is_nothing_to_divide_by():
    rewards = torch.tensor([1.0, 0.1, 0.1, 0.1], dtype=torch.float64)
    result = leave_one_out()(rewards, ONE_GROUP[:4])
    assert result[0].item() == pytest.approx(0.9)


# Of a group of 8 whose last row is the teacher's: its rewards, and advantages joint and split, as
# verl's compute_grpo_outcome_advantage without std, and LUFFY's grpo_split (epsilon 1e-6), give.
JOINT = {
    (0, 0, 0, 0, 0, 0, 0, 1): [-0.125] * 7 + [0.875],
    (1, 0, 0, 1, 0, 0, 0, 1): [0.625, -0.375, -0.375, 0.625, -0.375, -0.375, -0.375, 0.625],
}
HIGH, LOW = 1.46384710943, -0.585538843772
SPLIT = {
    (0, 0, 0, 0, 0, 0, 0, 1): [0.0] * 7 + [0.999999000001],
    (1, 0, 0, 1, 0, 0, 0, 1): [HIGH, LOW, LOW, HIGH, LOW, LOW, LOW, HIGH],
}
WITHOUT_LAST = torch.tensor([True] * 7 + [False])


@pytest.mark.parametrize("rewards", JOINT)
def test_an_expert_in_the_group_as_the_official_code_has_it(rewards):
    values = torch.tensor(rewards, dtype=torch.float64)
    joint = advantages["centred"].definition(values, ONE_GROUP)
    assert joint.tolist() == pytest.approx(JOINT[rewards], abs=1e-9)
    split = advantages["group"].definition(values, ONE_GROUP, baseline=WITHOUT_LAST, epsilon=1e-6)
    assert split.tolist() == pytest.approx(SPLIT[rewards], abs=1e-9)


IN_BASELINE = torch.tensor([True, True, False, True, True, True, True])


def test_a_baseline_of_all_rows_is_none(rule):
    assert torch.allclose(
        rule(VALUES, GROUPS, baseline=torch.ones(len(VALUES), dtype=torch.bool)),
        rule(VALUES, GROUPS),
        rtol=0,
        atol=1e-15,
    )


def test_a_row_outside_the_baseline_changes_no_other_s_advantage(rule):
    """It may earn anything: the others get what they would get without it."""
    alone = rule(VALUES[IN_BASELINE], GROUPS[IN_BASELINE])
    for earned in (-2.0, 100.0):
        values = VALUES.masked_fill(~IN_BASELINE, earned)
        result = rule(values, GROUPS, baseline=IN_BASELINE)
        assert torch.allclose(result[IN_BASELINE], alone, rtol=1e-12, atol=1e-15)
        assert result.isfinite().all()


@pytest.mark.parametrize("name", SHIFTED)
def test_a_row_outside_the_baseline_is_compared_with_those_inside(name):
    """Rewards 0.1, 0.1, 0.1 differ from their mean by rounding, which is no spread."""
    values = torch.tensor([0.1, 0.1, 0.1, 1.1], dtype=torch.float64)
    inside = torch.tensor([True, True, True, False])
    options = advantages.options(name)
    result = advantages.bind(options)(values, torch.zeros(4, dtype=torch.long), baseline=inside)
    assert result[:3].abs().max() < 1e-9
    assert float(result[3]) == pytest.approx(1.0, abs=2e-4)


# REINFORCE++ with a baseline: verl's own function on these rewards and lengths, to 11 digits.
PLUS = {
    "rewards": [1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0],
    "lengths": [3, 1, 2, 3, 2, 1, 3, 2],
    "advantages": [
        *(1.50293826454, -0.626224276891, -0.626224276891, -0.626224276891),
        *(0.438356993824, 0.438356993824, 0.438356993824, -1.6908055476),
    ],
}


def test_whitening_over_tokens_is_verls():
    rewards = torch.tensor(PLUS["rewards"], dtype=torch.float64)
    groups, lengths = torch.arange(8) // 4, torch.tensor(PLUS["lengths"])
    result = advantages["reinforce_pp"].definition(rewards, groups, lengths=lengths)
    assert result.tolist() == pytest.approx(PLUS["advantages"], abs=1e-9)


def test_whitened_tokens_have_a_mean_of_0_and_a_deviation_of_1():
    lengths = torch.tensor([3, 1, 2, 7, 5, 1, 4])
    rule = advantages["reinforce_pp"].definition
    of_tokens = rule(VALUES, GROUPS, lengths=lengths).repeat_interleave(lengths)
    of_rows = rule(VALUES, GROUPS, lengths=lengths, over="rows")
    for values in (of_tokens, of_rows):
        assert float(values.mean()) == pytest.approx(0, abs=1e-12)
        assert float(values.std(correction=1)) == pytest.approx(1, abs=1e-6)
    assert torch.equal(of_rows, rule(VALUES, GROUPS))


def test_the_rarer_what_is_right_the_more_it_counts():
    rule = advantages["maxrl"].definition
    shares = {n: rule((torch.arange(8) < n).double(), ONE_GROUP)[0].item() for n in (0, 1, 4, 8)}
    assert shares == pytest.approx({0: 0, 1: 7, 4: 1, 8: 0})


def test_only_what_earned_something_is_learnt_from():
    assert advantages["positive"].definition(VALUES, GROUPS).tolist() == (
        pytest.approx([0.3, 1.0, 0, 0.5, 0.25, 7.0, 0])
    )
