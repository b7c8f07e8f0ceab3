"""The tracker counts what lives, by part, and remembers where that was most."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from uniapl_cli.planning.tracker import ACTIVATIONS, LOGITS, Tracker

MIB = 2**20


def mib(count):
    return torch.empty(count, MIB // 4)


@pytest.fixture(params=[False, True], ids=["real", "fake"])
def tracker(request):
    tracker = Tracker(vocabulary=7)
    if request.param:
        with FakeTensorMode(), tracker:
            yield tracker
    else:
        with tracker:
            yield tracker


def test_what_is_freed_counts_no_more(tracker):
    one = mib(3)
    assert tracker.live.total() == 3 * MIB
    del one
    assert tracker.live.total() == 0
    assert sum(tracker.peak.values()) == 3 * MIB


def test_views_and_changes_in_place_count_once(tracker):
    one = mib(2)
    other = one.view(-1)[5:]
    one += 1
    assert tracker.live.total() == 2 * MIB
    del one
    assert tracker.live.total() == 2 * MIB, "the view keeps it"
    del other
    assert tracker.live.total() == 0


def test_parts_at_the_peak(tracker):
    with tracker.part("weights"):
        weights = mib(2)
    wide = torch.empty(MIB // 28, 7)
    wide_size = wide.numel() * 4
    del wide
    small = mib(1)
    assert tracker.peak == {"weights": 2 * MIB, LOGITS: wide_size} or wide_size < MIB
    tracker.move([small], "gradients")
    assert tracker.live["gradients"] == MIB and tracker.live[ACTIVATIONS] == 0
    del weights, small
    assert tracker.live.total() == 0


def test_a_phase_has_its_own_peak(tracker):
    mib(9)
    with tracker.phase(), tracker.held("weights", 5):
        mib(1)
    assert sum(tracker.peak.values()) == MIB + 5
    assert tracker.live.total() == 0
