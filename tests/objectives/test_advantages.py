import pytest
import torch

from uniapl_cli.objectives import advantages

REWARDS = torch.tensor([1, 0, 0, 1, 0, 0, 0, 0], dtype=torch.float64)
ONE_GROUP = torch.zeros(8, dtype=torch.long)
BASELINED = [name for name in advantages if name != "raw"]

# Three groups, interleaved, one of them of one.
VALUES = torch.tensor([0.3, 1.0, -2.0, 0.5, 0.25, 7.0, 0.0], dtype=torch.float64)
GROUPS = torch.tensor([4, 0, 4, 0, 0, 9, 4])


@pytest.fixture(params=list(advantages))
def rule(request):
    return advantages[request.param].make


@pytest.mark.parametrize(
    ("name", "golden"), {"group": (1.619835, -0.539945), "centred": (0.75, -0.25)}.items()
)
def test_the_published_example(name, golden):
    found = advantages[name].make(REWARDS, ONE_GROUP)
    expected = [golden[0] if reward else golden[1] for reward in REWARDS]
    assert found.tolist() == pytest.approx(expected, abs=5e-7)


def test_raw_is_the_value_itself_in_memory_of_its_own():
    found = advantages["raw"].make(VALUES, GROUPS)
    assert torch.equal(found, VALUES)
    assert found.data_ptr() != VALUES.data_ptr()


def test_there_is_one_finite_advantage_a_rollout(rule):
    found = rule(VALUES, GROUPS)
    assert found.shape == VALUES.shape
    assert found.isfinite().all()


def test_the_inputs_stay_as_they_were(rule):
    values, groups = VALUES.clone(), GROUPS.clone()
    rule(values, groups)
    assert torch.equal(values, VALUES)
    assert torch.equal(groups, GROUPS)


def test_groups_do_not_see_each_other(rule):
    changed = torch.where(GROUPS == 4, 5 * VALUES - 3, VALUES)
    rest = GROUPS != 4
    assert torch.equal(rule(changed, GROUPS)[rest], rule(VALUES, GROUPS)[rest])
    assert torch.equal(rule(VALUES[rest], GROUPS[rest]), rule(VALUES, GROUPS)[rest])


def test_the_order_of_the_rollouts_does_not_matter(rule):
    order = torch.tensor([6, 2, 5, 0, 4, 1, 3])
    found = rule(VALUES[order], GROUPS[order])
    assert torch.allclose(found, rule(VALUES, GROUPS)[order], rtol=1e-12, atol=0)


def test_the_names_of_the_groups_do_not_matter(rule):
    renamed = torch.tensor([{4: 1, 0: 7, 9: 3}[int(group)] for group in GROUPS])
    assert torch.equal(rule(VALUES, renamed), rule(VALUES, GROUPS))


@pytest.mark.parametrize("name", BASELINED)
def test_a_group_of_one_learns_nothing(name):
    assert advantages[name].make(VALUES, GROUPS)[5] == 0


@pytest.mark.parametrize("name", BASELINED)
@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, -1e6])
def test_a_group_whose_rewards_are_equal_learns_nothing(name, value):
    found = advantages[name].make(torch.full((8,), value, dtype=torch.float64), ONE_GROUP)
    assert found.abs().max() <= 1e-9


@pytest.mark.parametrize("name", BASELINED)
def test_a_reward_that_all_get_changes_nothing(name):
    rule = advantages[name].make
    assert torch.allclose(rule(VALUES + 10, GROUPS), rule(VALUES, GROUPS), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", BASELINED)
def test_the_advantages_of_a_group_sum_to_zero(name):
    found = advantages[name].make(VALUES, GROUPS)
    assert [found[group == GROUPS].sum().item() for group in (0, 4, 9)] == pytest.approx([0] * 3)


def test_the_scale_of_the_rewards_is_divided_out():
    rule = advantages["group"].make
    assert torch.allclose(rule(1000 * REWARDS, ONE_GROUP), rule(REWARDS, ONE_GROUP), rtol=5e-4)
