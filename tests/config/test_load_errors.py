"""Each mistake names its key, its place, what is allowed and what was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from experiment import Config, Write, refused

from uniapl_cli.config.load import load

# text -> key, line, and what else is known of the error
FILES = {
    "seed: 1\noptim:\n  lr: 1\n  learning_rat_decay: 1\n": (
        "optim.learning_rat_decay", 4, {"suggestion": "optim.learning_rate_decay"},
    ),
    "lr: 1\n": ("lr", 1, {"suggestion": "optim.lr"}),
    "optm:\n  lr: 1\n": ("optm.lr", 1, {"suggestion": "optim.lr"}),
    "terms:\n  kl:\n    wieght: 1\n    objective: nll\n": (
        "terms.kl.wieght", 3, {"suggestion": "terms.kl.weight"},
    ),
    "zzzzzz: 1\n": ("zzzzzz", 1, {"suggestion": None}),
    "schedules: {alpha: 1}\nalpha: 2\n": ("alpha", 2, {"suggestion": "schedules.alpha"}),
    "run: {steps: 1.5}\n": ("run.steps", 1, {"got": 1.5}),
    "run: {steps: '1'}\n": ("run.steps", 1, {"got": "1"}),
    "run: {steps: 0}\n": ("run.steps", 1, {"got": 0}),
    "run: {steps: 1001}\n": ("run.steps", 1, {"got": 1001}),
    "run: {fast: 1}\n": ("run.fast", 1, {"got": 1}),
    "\nseed:\n": ("seed", 2, {}),
    "seed: {a: 1}\n": ("seed", 1, {"got": {"a": 1}}),
    "tags: a\n": ("tags", 1, {"got": "a"}),
    "tags:\n- a\n- [b]\n": ("tags[1]", 3, {"got": ["b"]}),
    "optim: {betas: [1, 2, 3]}\n": ("optim.betas", 1, {"got": [1, 2, 3]}),
    "optim: {betas: [1, x]}\n": ("optim.betas[1]", 1, {"got": "x"}),
    "optim:\n": ("optim", 1, {}),
    "extra: 3\n": ("extra", 1, {"got": 3}),
    "terms: 3\n": ("terms", 1, {"got": 3}),
    "optim: {learning_rate_decay: .inf}\n": ("optim.learning_rate_decay", 1, {}),
    "optim: {learning_rate_decay: .nan}\n": ("optim.learning_rate_decay", 1, {}),
    "optim: {name: mun}\n": ("optim.name", 1, {"got": "mun", "suggestion": "muon"}),
    "optim:\n  lr: fast\n": ("optim.lr", 2, {"got": "fast", "allowed": ("constant", "cosine")}),
    "layout: cosin\n": ("layout", 1, {"suggestion": "cosine"}),
    # kinds
    "judge: {kind: embeding}\n": ("judge", 1, {"got": "embeding", "suggestion": "embedding"}),
    "judge: {path: x, scale: 3}\n": (
        "judge.scale", 1, {"allowed": ("path", "cache_mb", "max_length")},
    ),
    "judge:\n  kind: embedding\n  path: x\n  cache_mb: 7\n": ("judge.cache_mb", 4, {}),
    "judge:\n  path: x\n  max_lenght: 7\n": (
        "judge.max_lenght", 3, {"suggestion": "judge.max_length"},
    ),
    "judge: {path: x, cache_mb: -1}\n": ("judge.cache_mb", 1, {"got": -1}),
    "judge: {path: 3, kind: 4}\n": ("judge", 1, {}),
    "terms:\n  a:\n    objective: {reward: v}\n": ("terms.a.objective", 3, {}),
    "terms:\n  a:\n    objective: surrogate\n": ("terms.a.objective.reward", 3, {}),
    "terms:\n  a: {objective: {kind: surrogate, reward: v, low: 0.5}}\n": (
        "terms.a.objective", 2, {},
    ),
    "terms:\n  a: {objective: {kind: surrogate, reward: v, level: tok}}\n": (
        "terms.a.objective.level", 2, {"suggestion": "token"},
    ),
    "metrics: [length, lenght]\n": ("metrics[1]", 1, {"suggestion": "length"}),
    "rewards:\n  v: {functions: {}}\n": ("rewards.v", 2, {}),
    "rewards: {v: {functions: {verifer: 1}}}\n": (
        "rewards.v.functions.verifer", 1, {"suggestion": "verifier"},
    ),
    "rewards: {v: {functions: {verifier: {judge: 1}}}}\n": (
        "rewards.v.functions.verifier.judge", 1, {"allowed": ("weight", "mode")},
    ),
    "schedules: {mu: {kind: cosine}}\n": ("schedules.mu.peak", 1, {}),
    "schedules: {mu: {kind: cosine, peak: 1, steps: 4}}\n": ("schedules.mu.steps", 1, {}),
    # interpolations
    "seed: 1\nrun: {dir: '${nope}'}\n": ("run.dir", 2, {"got": "${nope}"}),
    "run:\n  dir: ${oc.env:UNIAPL_TEST_ABSENT}\n": ("run.dir", 2, {}),
    "tags: [a, '${b']\n": ("tags[1]", 1, {}),
    "run:\n  dir: ${method}\n  steps: ${run.dir}\nmethod: x\n": ("run.steps", 3, {"got": "x"}),
    "method: ${run.dir}\nrun:\n  dir: ${method}\n": ("method", 1, {}),
    # YAML
    "seed: 1\nrun: {}\nseed: 2\n": (None, 3, {}),
    "free: {a: {b: 1,\n b: 1}}\n": (None, 2, {}),
    "seed: 1\nrun: [1\n": (None, 3, {}),
    "run: {dir: ${method}}\n": (None, 1, {}),
    "seed: 1\nfree: \x07\n": (None, 2, {}),
    "free: &a [*a]\n": (None, 1, {}),
    "free: 0x_\n": ("free", 1, {"got": "0x_"}),
    "free: {[a]: 1}\n": (None, 1, {}),
    "seed: 1\nfree: !!python/name:os.system x\n": (None, 2, {}),
    "--- {}\n--- {}\n": (None, 2, {}),
}  # fmt: skip


@pytest.mark.parametrize("text", FILES)
def test_of_a_file(write: Write, text: str) -> None:
    key, line, more = FILES[text]
    error = refused(write(text))
    assert (error.key, error.file, error.line) == (key, "exp.yaml", line)
    for name, value in more.items():
        assert getattr(error, name) == value, name


@pytest.mark.parametrize("text", ["- 1\n", "word\n", "# nothing\n", "free: " + "[" * 1000])
def test_of_a_file_as_a_whole(write: Write, text: str) -> None:
    assert refused(write(text)).where == "exp.yaml"


OVERRIDES = {
    "optm.lr=1": ("optm.lr", "optim.lr"),
    "optm.learning_rat_decay=1": ("optm.learning_rat_decay", "optim.learning_rate_decay"),
    "run.steps=many": ("run.steps", None),
    "seed.x=1": ("seed", None),
    "tags.0=a": ("tags", None),
    "run.steps": (None, None),
    "run.steps=": ("run.steps", None),
    "=1": (None, None),
    "run..steps=1": (None, None),
    "free={a: 1, a: 2}": (None, None),
    "run.dir=*.x": (None, None),
    "include=a.yaml": ("include", None),
    "seed=a\nb": ("seed", None),
}


@pytest.mark.parametrize("override", OVERRIDES)
def test_of_an_override(override: str) -> None:
    error = refused(None, override)
    assert error.where == f"override {override!r}"
    assert (error.key, error.suggestion) == OVERRIDES[override]
    assert (error.file, error.line) == (None, None)


def test_a_secret_is_never_repeated(write: Write) -> None:
    error = refused(write("judge: {kind: embedding, path: x, token: [S3CRET]}\n"))
    assert error.key == "judge.token"
    assert error.got is None
    assert "S3CRET" not in str(error)


def test_a_long_value_is_cut(write: Write) -> None:
    assert len(str(refused(write(f"seed: {'x' * 500}\n")))) < 150


def test_of_an_included_file(write: Write) -> None:
    write("seed: 1\n\nlr: 1\n", "base/a.yaml")
    error = refused(write("include: base/a.yaml\n"))
    assert (error.file, error.line, error.key) == ("base/a.yaml", 3, "lr")


def test_of_a_packaged_layer(write: Write) -> None:
    error = refused(None, layers=[write("seed: x\n", "methods/m.yaml")])
    assert (error.file, error.line, error.got) == ("methods/m.yaml", 1, "x")


def test_files_that_are_not_there(write: Write) -> None:
    write("seed: 1\n", "base/tiny.yaml")
    assert refused(Path("base/tyny.yaml")).suggestion == "base/tiny.yaml"
    assert refused(Path("none/a.yaml")).got == "none/a.yaml"
    assert refused(Path("base")).got == "base"
    error = refused(write("seed: 1\ninclude:\n- base/tin.yaml\n"))
    assert (error.line, error.suggestion) == (3, "base/tiny.yaml")
    assert refused(write("include: base\n")).line == 1
    assert refused(write("include: {a: 1}\n")).key == "include"


def test_include_cycles_print_the_chain(write: Write) -> None:
    write("include: ../b.yaml\n", "sub/a.yaml")
    error = refused(write("seed: 1\ninclude: sub/a.yaml\n", "b.yaml"))
    assert (error.file, error.line) == ("sub/a.yaml", 1)
    assert "b.yaml -> sub/a.yaml -> b.yaml" in str(error)


def test_bytes_that_are_not_utf8(write: Write) -> None:
    path = write("seed: 1\n")
    path.write_bytes(b"seed: 1\nmethod: \xff\n")
    assert refused(path).line == 2


def test_a_byte_order_mark_is_no_mistake(write: Write) -> None:
    assert load(write("\ufeffseed: 5\r\nmethod: a\r\n"), schema=Config).seed == 5
