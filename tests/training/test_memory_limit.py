"""Memory that really runs out in the middle of a run: by a limit of the operating system."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="limits of address space are Linux's"),
]

# Trains three steps twice: undisturbed, and with room for less than the second one's passes.
CHILD = r"""
import json, logging, resource, sys
import torch
from uniapl_cli.errors import OutOfMemory
from uniapl_cli.objectives import objectives
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.accumulate import prepare
from uniapl_cli.training.optim import optimizers
from uniapl_cli.training.policy import load_policy
from uniapl_cli.training.terms import Term
from uniapl_cli.training.updater import Updater
from uniapl_cli.training.updates import Update

torch.set_num_threads(1)
said = []
handler = logging.Handler()
handler.emit = lambda record: said.append(record.getMessage())
logging.getLogger("uniapl").addHandler(handler)
UNLIMITED = (resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_AS)[1])


def trained(mib):
    policy = load_policy(resolve("tiny:teacher"), "cpu")
    nll = objectives["nll"].definition
    term = Term("sft", "rows", lambda value: 1.0, nll)
    optimizer = optimizers.bind(optimizers.options("adamw"))(policy.model)
    updater = Updater(policy, optimizer, [Update()])
    draws = torch.Generator().manual_seed(0)
    for step in range(3):
        ids = torch.randint(0, 1024, (128, 128), generator=draws)
        batch = TokenBatch(ids, torch.ones(128, 127, dtype=torch.bool))
        tokens = 128 * 127 if step == 1 else 2032
        micros = prepare(policy, [term], {"rows": batch}, {"rows": tokens})
        if step == 1 and mib is not None:
            pages = int(open("/proc/self/statm").read().split()[0])
            limit = pages * resource.getpagesize() + mib * 2**20
            resource.setrlimit(resource.RLIMIT_AS, (limit, UNLIMITED[1]))
        try:
            updater.update(step, [term], {"sft": 1.0}, micros, 1e-3)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, UNLIMITED)
    return policy.model.state_dict()


mib = int(sys.argv[1])
whole = trained(None)
assert not said
try:
    limited = trained(mib)
except OutOfMemory as error:
    print(json.dumps({"refused": error.problem}))
else:
    apart = max(float((whole[name] - limited[name]).abs().max()) for name in whole)
    print(json.dumps({"apart": apart, "said": said}))
"""


# Memory of large tensors goes back to the system at once: what fits does not depend on holes.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}


def trained_within(mib):
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(mib)],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | ALLOCATOR,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_step_that_does_not_fit_is_made_at_half_the_tokens():
    """What fits depends on torch's version, so the limit that tells is searched for."""
    too_little, enough = 100, 700
    while enough - too_little > 5:
        mib = (too_little + enough) // 2
        result = trained_within(mib)
        if "refused" in result:
            too_little = mib
        elif not result["said"]:
            enough = mib
        else:
            break
    assert "apart" in result, result
    assert len(result["said"]) == 1 and "16,256 tokens" in result["said"][0]
    assert 0 < result["apart"] < 1e-6
