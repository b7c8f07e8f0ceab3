"""Repeatable kernels: what torch refuses there is done otherwise, and the numbers stay."""

import os

import pytest
import torch

from uniapl_cli import load_config
from uniapl_cli.commands.device import use_device
from uniapl_cli.determinism import WORKSPACE, repeatable, running_sums


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    monkeypatch.delenv(WORKSPACE[0], raising=False)
    yield
    torch.use_deterministic_algorithms(False)
    os.environ.pop(WORKSPACE[0], None)


@pytest.mark.parametrize("wanted", [True, False])
def test_the_key_reaches_torch(wanted):
    repeatable(not wanted)
    use_device(load_config(None, [f"run.deterministic={wanted}", "run.device=cpu"]))
    assert torch.are_deterministic_algorithms_enabled() is wanted
    assert (os.environ.get(WORKSPACE[0]) == WORKSPACE[1]) is True


def test_what_the_user_has_set_for_cublas_stays(monkeypatch):
    monkeypatch.setenv(WORKSPACE[0], ":16:8")
    repeatable(True)
    assert os.environ[WORKSPACE[0]] == ":16:8"


@pytest.mark.parametrize("count", [1, 2, 5])
def test_sums_are_cumsum_s_and_never_of_a_single_row(count, monkeypatch):
    """As on CUDA: there cumsum raises in this mode, and scans a single row in no fixed order."""
    rows = torch.rand(count, 300, dtype=torch.float64)
    expected, cumsum = rows.cumsum(-1), torch.Tensor.cumsum

    def of_cuda(self, dim):
        assert not torch.are_deterministic_algorithms_enabled() and len(self) > 1
        return cumsum(self, dim)

    monkeypatch.setattr(torch.Tensor, "is_cuda", True)
    monkeypatch.setattr(torch.Tensor, "cumsum", of_cuda)
    repeatable(True)
    assert torch.equal(running_sums(rows), expected)
    assert torch.are_deterministic_algorithms_enabled()


def test_the_mode_is_back_after_an_error(monkeypatch):
    monkeypatch.setattr(torch.Tensor, "is_cuda", True)
    repeatable(True)
    with pytest.raises((RuntimeError, IndexError)):
        running_sums(torch.tensor(1.0).expand(0, 3)[0])
    assert torch.are_deterministic_algorithms_enabled()
