"""Mistakes in a config: its text, its keys, their values, what does not fit together."""

from __future__ import annotations

from pathlib import Path

from mistake import FILE, KEYED, PLACED, Mistake, check, logged, of_file, of_override

SYNTAX = {
    "not closed": "seed: 1\nrun: [1\n",
    "an interpolation between braces": "run: {dir: ${method}}\n",
    "a key twice": "seed: 1\nrun: {}\nseed: 2\n",
    "a control character": "seed: 1\nmethod: \x07\n",
    "an anchor within itself": "terms: &a [*a]\n",
    "a list for a key": "terms: {[a]: 1}\n",
    "a Python object": "seed: 1\nmethod: !!python/name:os.system x\n",
    "two documents": "--- {}\n--- {}\n",
    "an include that is not there": "seed: 1\ninclude: absent.yaml\n",
    "an include that is a folder": "include: .\n",
    "an include of itself": f"include: {FILE}\n",
}
WHOLE = {
    "a list": "- 1\n",
    "a word": "word\n",
    "nothing": "# nothing\n",
    "too deep": "a: " + "[" * 999,
}

KEYS = {
    "misspelt": "seed: 1\noptim:\n  lr: 1\n  weight_decai: 1\n",
    "a key of another section": "lr: 1\n",
    "a misspelt section": "optm:\n  lr: 1\n",
    "a misspelt key of a term": "terms:\n  imitation:\n    wieght: 1\n",
    "like no other": "zzzzzz: 1\n",
    "weights of 16 bits": "model: {dtype: bfloat16}\n",
    "of an older version": "training: {inner_epochs: 2}\n",
    "a section of an older version": "signals: {verifier: {scores: {verifier: {}}}}\n",
    "another version": "version: 1\nseed: 1\n",
    "an include that is no path": "include: {a: 1}\n",
}
VALUES = {
    "text for an int": "training: {steps: many}\n",
    "a fraction for an int": "training: {steps: 1.5}\n",
    "a bool for an int": "seed: true\n",
    "null for an int": "\nseed:\n",
    "a mapping for an int": "seed: {a: 1}\n",
    "an int for a bool": "run: {health: 1}\n",
    "not a number": "optim: {eps: .nan}\n",
    "a malformed number": "seed: 0x_\n",
    "an empty text": "run: {dir: ''}\n",
    "text for a list": "polar: {heldout: a.jsonl}\n",
    "a list in a list": "polar:\n  heldout:\n  - a.jsonl\n  - [b.jsonl]\n",
    "a list too short": "optim: {betas: [0.9]}\n",
    "a number out of a list's bounds": "optim: {betas: [0.9, 2]}\n",
    "null for a section": "run:\n",
    "a number for a section": "model: {adapter: 3}\n",
    "a number for a map": "terms: 3\n",
    "none of a few words": "data: {overlong: trunc}\n",
    "below the least": "training: {micro_batch_tokens: 0}\n",
    "above the most": "sampling: {top_p: 1.5}\n",
    "long text": f"seed: {'x' * 500}\n",
    "a layout that is not known": "data: {layout: ifevel}\n",
    "a metric that is not known": "eval: {metrics: [ifevel]}\n",
    "no metrics": "eval: {metrics: []}\n",
    "no draws": "eval: {draws: {greedy: null}}\n",
    "a key for a server in its URL": "teacher: {server: {url: 'http://me:secret@host/v1'}}\n",
    "a URL without a scheme": "teacher: {server: {url: localhost}}\n",
    "a port beyond all ports": "teacher: {server: {url: 'http://h:99999/v1'}}\n",
    "a field that no request can hold": "teacher: {server: {extra: {min_p: .nan}}}\n",
    "a key for its variable's name": "teacher: {server: {url: 'http://h', api_key_env: sk-1}}\n",
    "a tolerance without a file": "data: {tolerance: 3}\n",
}  # fmt: skip
INTERPOLATIONS = {
    "of nothing": "seed: 1\nrun: {dir: '${nope}'}\n",
    "of an unset variable": "run:\n  dir: ${oc.env:UNIAPL_TEST_ABSENT}\n",
    "not closed": "polar: {heldout: [a, '${b']}\n",
    "of what is null": "run: {dir: 'a-${oc.env:UNIAPL_TEST_ABSENT,null}'}\n",
    "of the wrong type": "run: {dir: x}\ntraining: {steps: '${run.dir}'}\n",
    "in a circle": "chat: {system: '${run.dir}'}\nrun: {dir: '${chat.system}'}\n",
}

KINDS = {
    "a discriminator that is not known": "discriminator: {kind: embeding, path: x}\n",
    "a key of another kind": "discriminator:\n  kind: embedding\n  path: x\n  cache_mb: 7\n",
    "a misspelt key of a kind": "discriminator:\n  path: x\n  cach_mb: 7\n",
    "a key that the kind needs": "discriminator: {kind: polar_server, path: x, addresses: [a:1]}\n",
    "an engine that is not known": (
        "discriminator: {kind: polar_server, path: x, engine: vlm, addresses: ['a:1']}\n"
    ),
    "lengths that do not fit": "discriminator: {path: x, max_length: 100}\n",
    "an option of another optimiser": "optim: {muon_lr_ratio: 2}\n",
    "text for a schedule": "optim: {lr: fast}\n",
    "a schedule without its peak": "optim: {lr: {kind: cosine}}\n",
    "text in a schedule": "optim: {lr: {kind: cosine, peak: high}}\n",
}

# Behind the method.
OVERRIDES = {
    "no value": "sft run.dir",
    "an empty value": "sft run.dir=",
    "no key": "sft =1",
    "an empty part": "sft run..dir=1",
    "a key twice": "sft 'run={dir: a, dir: b}'",
    "bad YAML": "sft run.dir=*.x",
    "an include": "sft include=a.yaml",
    "two lines": "sft 'seed=a\nb'",
    "misspelt": "sft optim.lrr=1",
    "of another section": "sft learning_rate=1",
    "a schedule at the top": "unified lambda_adv=0.01",
    "below a number": "sft seed.x=1",
    "of a list's item": "sft polar.heldout.0=a",
    "null of what is not there": "grpo terms.kll=null",
    "another method": "sft method=grpo",
    "below the least": "sft optim.weight_decay=-1",
}
METHODS = {
    "misspelt": "grop",
    "objective": "grpo terms.kl.objective=kll",
    "objective without its reward": "grpo terms.kl.objective=surrogate",
    "objective of pairs": "grpo terms.kl.objective=bradley_terry",
    "option of an objective": "grpo terms.preference.objective.clip_hihg=0.3",
    "option of an older version": "grpo terms.preference.params.clip_high=0.3",
    "choice of an option": "grpo 'terms.kl.objective={kind: kl, estimator: k4}'",
    "clip": "grpo terms.preference.objective.clip_low=2",
    "dual clip": "grpo terms.preference.objective.dual_clip=1",
    "source": "grpo terms.kl.source=rollout",
    "source of another verb": "grpo terms.kl.source=comparisons",
    "no source": "sft terms.mine.objective=nll",
    "reward": "grpo terms.preference.objective.reward=verify",
    "reward that was removed": "unified rewards.anchor=null",
    "reward of demonstrations": "grpo terms.preference.source=demonstrations",
    "weight's schedule": "grpo terms.kl.weight=betta_kl",
    "weight's remainder": "grpo terms.kl.weight=beta_kl%2",
    "rows' fact": "grpo terms.kl.rows=rigth",
    "rows' number": "grpo terms.kl.rows=right_share",
    "rows' arithmetic": "grpo 'terms.kl.rows=1 - beta_kl'",
    "rows' fact of a token": "grpo terms.kl.rows=given",
    "tokens' fact of a pass": "grpo 'terms.kl.tokens=p < 0.5'",
    "scale's truth": "grpo 'terms.kl.scale=1 - right'",
    "scale's function": "grpo 'terms.kl.scale=sqrt(p)'",
    "facts of demonstrations": "sft terms.imitation.rows=right",
    "facts of preferences": "dpo terms.preference.rows=expert",
    "a schedule named as a fact": "grpo schedules.right=1",
    "a judge that is no reward": "grpo terms.kl.rows=right sources.rollouts.judged_by=judge",
    "weight's end": "grpo 'terms.kl.weight=1 +'",
    "weight's division": "grpo terms.kl.weight=1/beta_kl schedules.beta_kl=0",
    "weight's division of numbers": "grpo terms.kl.weight=1/0",
    "schedule": "sft schedules.lambda_ad=0.01",
    "a coin's schedule": "grpo 'schedules.side={kind: coin, p: lean}' terms.kl.weight=side",
    "a coin's own value": "grpo 'schedules.side={kind: coin, p: 1 - side}' terms.kl.weight=side",
    "a coin's probability": ("grpo 'schedules.side={kind: coin, p: 2}' terms.kl.weight=side"),
    "a schedule's pieces": (
        "grpo 'schedules.side={kind: piecewise, values: [1, 0], at: []}' terms.kl.weight=side"
    ),
    "a schedule's value after the run": (
        "grpo 'schedules.side={kind: cosine, peak: 1, after: 0}' terms.kl.weight=side"
    ),
    "a metric of no term": (
        "grpo 'schedules.side={kind: gradient_share, measure: gradients/sft}' terms.kl.weight=side"
    ),
    "a metric of the machine": (
        "grpo 'schedules.side={kind: gradient_share, measure: memory_gib}' terms.kl.weight=side"
    ),
    "a learning rate that is drawn": "sft 'optim.lr={kind: coin, p: 0.5}'",
    "a source to take from": "relift sources.hard.of=rollout",
    "a source to take from that samples nothing": "relift sources.hard.of=demonstrations",
    "a source's condition": "relift 'sources.hard.rows=right_shares <= 0'",
    "rows to keep without a batch's size": "relift sources.hard.size=null sources.hard.keep=true",
    "an update's term": "relift 'updates.imitation.terms=[imitate]'",
    "a term of two updates": "relift 'updates.imitation.terms=[imitation, preference]'",
    "schedule's peak": "chord 'schedules.mu={warmup_steps: 0, decay_steps: 0}'",
    "reduction that is a number": "grpo terms.kl.reduction=4",
    "reduction of pairs": (
        "grpo 'terms.kl={source: choices, objective: dpo, reduction: sequence}'"
    ),
    "reward function": "grpo rewards.verifier.functions.coeff=1",
    "reward function's weight": "grpo rewards.verifier.functions.verifier=big",
    "the program's own option": "unified rewards.anchor.functions.coef.discriminator=x",
    "no reward functions": "grpo rewards.verifier.functions.verifier=null",
    "advantage": "grpo rewards.verifier.advantage=grup",
    "nothing to contrast": "agrpo rewards.anchor.zero_variance=drop",
    "no terms": "sft terms.imitation=null",
    "no weight": "sft terms.imitation.weight=0",
    "correction of nothing": (
        "sft 'terms.kl={source: rollouts, objective: kl}' sources.rollouts.correction=token"
    ),
    "mask beyond nothing": (
        "grpo 'sources.rollouts.correction={kind: token, cap: null, mask: true}'"
    ),
    "expert that neither joins nor stays apart": "grpo sources.rollouts.expert=yes",
    "more beginnings than rollouts": "grpo sources.rollouts.prefix.rows=9",
    "search for some beginnings": "grpo sources.rollouts.prefix.law=search",
    "search that nothing judges": (
        "grpo sources.rollouts.judged_by=judge 'sources.rollouts.prefix={rows: all, law: search}'"
    ),
    "law of beginnings": "grpo sources.rollouts.prefix.law=normal",
    "beginnings' schedule": "grpo 'sources.rollouts.prefix.law={kind: fixed, share: hint}'",
    "beginnings' fact": "grpo 'sources.rollouts.prefix.law={kind: fixed, share: right_share}'",
    "beginnings' division": (
        "grpo schedules.beta_kl=0 'sources.rollouts.prefix.law={kind: fixed, share: 1/beta_kl}'"
    ),
    "learner of a reward": "gad rewards.judge.functions.learner.name=juge",
    "learner without a reward": "gad learners.other={}",
    "learner's name": (
        "gad 'learners={\"a/b\": {}, judge: null}' rewards.judge.functions.learner.name=a/b"
    ),
    "learner's objective": "gad learners.judge.objective=nll",
    "learner's source": "gad schedules.phase=0 learners.judge.source=demonstrations",
    "learner's learning rate": "gad learners.judge.optim.lr=-1",
    "one rollout a prompt": "grpo sources.rollouts.num_generations=1",
    "greedy rollouts": "grpo sampling.temperature=0",
    "rollouts of a few tokens": "grpo sampling.top_k=5",
    "other prompts for demonstrations": (
        "asft discriminator.path=tiny:polar rewards.anchor.advantage=centred "
        "rewards.anchor.zero_variance=resample"
    ),
    "KL twice": "grpo rewards.verifier.functions.kl=-0.001",
    "overlong beyond the longest": (
        "grpo 'rewards.verifier.functions.overlong={weight: 1, buffer: 600}'"
    ),
    "no discriminator": "agrpo",
    "a discriminator's key that is not there": (
        "agrpo 'discriminator={kind: polar_server, path: tiny:polar, engine: vllm, "
        "addresses: [a:1], api_key_env: UNIAPL_TEST_ABSENT}'"
    ),
}
# These have no place: what is missing was not written.
UNPLACED = {"misspelt", "no source", "no discriminator"}

TOLD = {
    "a schedule of other methods": "sft schedules.lambda_adv=0.01",
    "a sequence's ratio, a token's mean": (
        "grpo terms.preference.objective.importance_sampling_level=sequence"
    ),
}


def not_there() -> None:
    Path("base.yaml").write_text("seed: 1\n")
    check(Path("bass.yaml"), [], None)


def not_utf8() -> None:
    Path(FILE).write_bytes(b"seed: 1\nmethod: \xff\n")
    check(Path(FILE), [], None)


def packaged_layer() -> None:
    """Of a method's file the line is told, without the folder that the package is in."""
    check(None, ["schedules.alpha=null"], "unified")


MISTAKES: dict[str, Mistake] = {
    **{f"config, {name}": of_file(text, *PLACED) for name, text in SYNTAX.items()},
    **{f"config, {name}": of_file(text, "where") for name, text in WHOLE.items()},
    "config, not there": Mistake(not_there, ("got", "suggestion")),
    "config, a folder": Mistake(lambda: check(Path(), [], None), ("got",)),
    "config, not UTF-8": Mistake(not_utf8, PLACED),
    **{f"key, {name}": of_file(text, *PLACED, "key") for name, text in KEYS.items()},
    **{f"value, {name}": of_file(text, *PLACED, "key") for name, text in VALUES.items()},
    **{
        f"interpolation, {name}": of_file(text, *PLACED, "key")
        for name, text in INTERPOLATIONS.items()
    },
    **{f"kind, {name}": of_file(text, *PLACED, "key") for name, text in KINDS.items()},
    **{f"override, {name}": of_override(line, "where") for name, line in OVERRIDES.items()},
    **{
        f"method, {name}": of_override(line, *(() if name in UNPLACED else KEYED))
        for name, line in METHODS.items()
    },
    "method, of its own file": Mistake(packaged_layer, (*PLACED, "key")),
    **{f"told, {name}": logged(of_override(line).provoke) for name, line in TOLD.items()},
}
