"""What a health check advises is a key that the run reads, and a value that it has not yet."""

import re

import pytest

from uniapl_cli import load_config
from uniapl_cli.commands.facts import run_facts
from uniapl_cli.commands.method import plan
from uniapl_cli.commands.reads import is_read, keys_of_training
from uniapl_cli.monitoring.health import Health

KEY = re.compile(r"\b(?:(?:[a-z_]+\.)+[a-z_]+(?:=[\w.]+)?|(?:generation|precision)=\w+)")
FILES = ("samples.jsonl", "metrics.jsonl")
BAD = {"kl": 9.0, "sampler_gap": 5.0, "clip_ratio": 0.9, "effective_sample_size": 0.2}

CASES = {
    "unified": [],
    "grpo": ["optim.lr={kind: cosine, peak: 1e-3}", "training.num_iterations=3"],
    "agrpo": ["sampling.temperature=0.7", "precision=bfloat16", "model.attention=sdpa"],
    "asft": ["optim.lr={kind: linear, start: 1e-3, end: 0}"],
    "achord": ["generation={kind: vllm, addresses: ['127.0.0.1:1']}", "model.path=tiny:teacher"],
    "chord": ["model.attention=eager", "sources.rollouts.correction=sequence"],
}


def metrics_of(config, method, step):
    """Metrics under which every check fails that can."""
    fine, few = step <= 15, ("effective_sample_size",)
    metrics = {"grad_norm": 50.0 if step % 29 else 1e6}
    for term in method.ever_active:
        metrics[term.name] = 0.5 if fine else 9.0
        own = ("kl",) if term.reward is None else ("sampler_gap", "clip_ratio", *few)
        metrics |= {f"{term.name}/{name}": BAD[name] for name in own}
        source = term.source
        metrics[f"{source}/completions/clipped_ratio"] = 0.1 if fine else 0.9
        metrics[f"{source}/completions/mean_length"] = (
            100.0 if fine else 9.0 if step < 30 else 900.0
        )
        metrics[f"{source}/entropy"] = 0.4 if fine else 1e-3 if step < 30 else 5.0
        if term.reward:
            metrics[f"{source}/{term.reward}/frac_reward_zero_std"] = 1.0
            metrics[f"{source}/{term.reward}/mean"] = 0.0
    return metrics


@pytest.mark.parametrize("name", CASES)
def test_advice_names_keys_that_the_run_reads_and_values_that_it_has_not(name):
    common = ["training.steps=100", "discriminator.path=tiny:polar"]
    config = load_config(None, [*common, *CASES[name]], name)
    method = plan(config)
    whole = config.with_sources(term.source for term in method.ever_active)
    health, keys = Health(run_facts(config, method, "cpu")), keys_of_training(config, method)
    lines = [
        line
        for step in range(1, 80)
        for line in health.examine(step, metrics_of(config, method, step))
    ]
    advised = {key for line in lines for key in KEY.findall(line.partition("Try")[2] or line)}
    advised = {key for key in advised if not key.startswith(FILES)}
    assert len(lines) >= 5 and advised
    for text in advised:
        key, _, value = text.partition("=")
        assert is_read(key, keys), text
        if value:
            changed = load_config(None, [*common, *CASES[name], text.rstrip(".")], name)
            assert changed != config, f"{text} changes nothing"
            plan(changed)
        else:
            assert key == "optim.lr" or has(whole, key), text


def has(config, key):
    value = config
    for part in key.split("."):
        names = value if isinstance(value, dict) else type(value).model_fields
        if part not in names:
            return key.startswith("data.")
        value = value[part] if isinstance(value, dict) else getattr(value, part)
    return True
