"""Each mistake is one line: where, which key, what was got, what to type."""

from __future__ import annotations

from pathlib import Path

import pytest
from experiment import Config, Write, said

from uniapl_cli.config.load import load

KNOWN = "seed, method, run, optim, extra, terms, schedules, scale, tags, free, steps_of"
OPTIM = "lr, learning_rate_decay, betas, name"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "seed: 1\noptim:\n  lr: 1\n  learning_rat_decay: 1\n",
            "exp.yaml:4: unknown key 'optim.learning_rat_decay'. Did you mean "
            f"'optim.learning_rate_decay'? Known in 'optim': {OPTIM}",
        ),
        (
            "lr: 1\n",
            "exp.yaml:1: unknown key 'lr'. Did you mean 'optim.lr' or 'extra.lr'? "
            f"Known at the top: {KNOWN}",
        ),
        (
            "optm:\n  lr: 1\n",
            f"exp.yaml:1: unknown key 'optm'. Did you mean 'optim'? Known at the top: {KNOWN}",
        ),
        (
            "terms:\n  kl:\n    wieght: 1\n",
            "exp.yaml:3: unknown key 'terms.kl.wieght'. Did you mean 'terms.kl.weight'? "
            "Known in 'terms.kl': objective, weight, params",
        ),
        (
            "steps_of:\n- {objective: a}\n- {objectiv: b}\n",
            "exp.yaml:3: unknown key 'steps_of[1].objectiv'. Did you mean 'steps_of[1].objective'? "
            "Known in 'steps_of[1]': objective, weight, params",
        ),
        ("zzzzzz: 1\n", f"exp.yaml:1: unknown key 'zzzzzz'. Known at the top: {KNOWN}"),
        ("optim:\n  lr: fast\n", "exp.yaml:2: 'optim.lr' is 'fast' (str), expected float"),
        ("optim:\n  lr: true\n", "exp.yaml:2: 'optim.lr' is true (bool), expected float"),
        ("run: {steps: 1.5}\n", "exp.yaml:1: 'run.steps' is 1.5 (float), expected int"),
        ("run: {steps: '1'}\n", "exp.yaml:1: 'run.steps' is '1' (str), expected int"),
        ("run: {fast: 1}\n", "exp.yaml:1: 'run.fast' is 1 (int), expected bool"),
        ("\nseed:\n", "exp.yaml:2: 'seed' is null, expected int"),
        ("seed: {a: 1}\n", "exp.yaml:1: 'seed' is a mapping, expected int"),
        ("seed: [1]\n", "exp.yaml:1: 'seed' is a list (length 1), expected int"),
        ("tags: a\n", "exp.yaml:1: 'tags' is 'a' (str), expected list[str]"),
        ("tags:\n- a\n- [b]\n", "exp.yaml:3: 'tags[1]' is a list (length 1), expected str"),
        (
            "optim: {betas: [1, 2, 3]}\n",
            "exp.yaml:1: 'optim.betas' is a list (length 3), expected list[float, float]",
        ),
        (
            "optim:\n",
            f"exp.yaml:1: 'optim' is null, expected a mapping with the keys {OPTIM}",
        ),
        (
            "extra: 3\n",
            f"exp.yaml:1: 'extra' is 3 (int), expected a mapping with the keys {OPTIM} or null",
        ),
        ("terms: 3\n", "exp.yaml:1: 'terms' is 3 (int), expected dict[str, Term]"),
        (
            "optim: {name: mun}\n",
            "exp.yaml:1: 'optim.name' is 'mun' (str), expected 'adamw' or 'muon' or 'on'. "
            "Did you mean 'muon'?",
        ),
        ("method: {a: 1}\n", "exp.yaml:1: 'method' is a mapping, expected str or null"),
        (
            "seed: 1\nrun: {dir: '${nope}'}\n",
            "exp.yaml:2: 'run.dir' cannot be resolved: Interpolation key 'nope' not found. "
            "For the text itself, write \\${",
        ),
        (
            "run:\n  dir: ${oc.env:UNIAPL_TEST_ABSENT}\n",
            "exp.yaml:2: 'run.dir' cannot be resolved: "
            "\"Environment variable 'UNIAPL_TEST_ABSENT' not found\"",
        ),
        (
            "tags: [a, '${b']\n",
            "exp.yaml:1: 'tags[1]' cannot be resolved: no viable alternative at input '${b'. "
            "For the text itself, write \\${",
        ),
        (
            "run:\n  dir: ${method}\n  steps: ${run.dir}\nmethod: x\n",
            "exp.yaml:3: 'run.steps' is 'x' (str), expected int",
        ),
        (
            "method: ${run.dir}\nrun:\n  dir: ${method}\n",
            "exp.yaml:1: 'method' cannot be resolved: Recursive interpolation detected",
        ),
        ("seed: 1\nrun: {}\nseed: 2\n", "exp.yaml:3: duplicate key 'seed' (first in line 1)"),
        ("free: {a: {b: 1,\n b: 1}}\n", "exp.yaml:2: duplicate key 'b' (first in line 1)"),
        ("- 1\n", "exp.yaml: is a list, expected a mapping: lines of `key: value`"),
        ("word\n", "exp.yaml: is a single value, expected a mapping: lines of `key: value`"),
        ("# nothing\n", "exp.yaml: is empty, expected a mapping: lines of `key: value`"),
        (
            "seed: 1\nrun: [1\n",
            "exp.yaml:3:1: malformed YAML: while parsing a flow sequence "
            "expected ',' or ']', but got '<stream end>'",
        ),
        (
            "run: {dir: ${method}}\n",
            "exp.yaml:1:13: malformed YAML: while parsing a flow mapping expected ',' or '}', "
            "but got '{'. Between {} or [] put '${...}' in quotes",
        ),
        ("seed: 1\nfree: \x07\n", "exp.yaml:2: malformed YAML: special characters are not allowed"),
        ("free: &a [*a]\n", "exp.yaml:1: an anchor that contains itself"),
        ("free: 0x_\n", "exp.yaml:1: 'free': invalid literal for int() with base 16: ''"),
        ("free: {[a]: 1}\n", "exp.yaml:1: a key must be a word, not a list or a mapping"),
        (
            "seed: 1\nfree: !!python/name:os.system x\n",
            "exp.yaml:2: the tag 'tag:yaml.org,2002:python/name:os.system' is not allowed",
        ),
        ("--- {}\n--- {}\n", None),
        ("free: " + "[" * 1000, "exp.yaml: malformed YAML: nested too deeply"),
    ],
)
def test_of_a_file(write: Write, text: str, message: str | None) -> None:
    got = said(write(text))
    assert got == message if message else got.startswith("exp.yaml:2:1: malformed YAML: expected a")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "optm.lr=1",
            "unknown key 'optm.lr'. Did you mean 'optim.lr' or 'extra.lr'? "
            f"Known at the top: {KNOWN}",
        ),
        (
            "optm.learning_rat_decay=1",
            "unknown key 'optm.learning_rat_decay'. Did you mean 'optim.learning_rate_decay'? "
            f"Known at the top: {KNOWN}",
        ),
        ("optim.lr=fast", "'optim.lr' is 'fast' (str), expected float"),
        ("optim.lr.x=1", "'optim.lr' is a mapping, expected float"),
        ("tags.0=a", "'tags' is a mapping, expected list[str]"),
        ("run.steps", "there is no '='. Type key=value, for example run.steps=1"),
        ("run.steps=", "there is no value. Type run.steps=null, or run.steps='\"\"' for no text"),
        ("=1", "the key is empty or has an empty part. Type section.key=value"),
        ("run..steps=1", "the key is empty or has an empty part. Type section.key=value"),
        ("free={a: 1, a: 2}", "duplicate key 'a'"),
        (
            "run.dir=*.x",
            "malformed YAML: while scanning an alias expected alphabetic or numeric character, "
            "but found '.'. For text, quote it twice: run.dir='\"...\"'",
        ),
        ("include=a.yaml", "only a file can include others"),
    ],
)
def test_of_an_override(override: str, message: str) -> None:
    assert said(None, override) == f"override {override!r}: {message}"


def test_an_override_stays_one_line() -> None:
    assert said(None, "seed=a\nb") == "override 'seed=a\\nb': 'seed' is 'a\\nb' (str), expected int"


def test_a_key_of_two_lines_stays_one_line(write: Write) -> None:
    assert "unknown key 'a b'" in said(write('"a\\nb": 1\n'))
    assert "there is no '='" in said(None, "a\nb")


def test_a_long_value_is_cut(write: Write) -> None:
    assert len(said(write(f"seed: {'x' * 500}\n"))) < 150
    assert len(said(write(f"optim: {{lr: {'1' * 500}}}\n"))) < 150


def test_of_an_included_file(write: Write) -> None:
    write("seed: 1\n\nlr: 1\n", "base/a.yaml")
    got = said(write("include: base/a.yaml\n", "sub/../exp.yaml"))
    assert got.startswith("sub/../base/a.yaml:3: unknown key 'lr'") or got.startswith(
        "base/a.yaml:3: unknown key 'lr'"
    )


def test_of_a_packaged_layer(write: Write) -> None:
    layer = write("seed: x\n", "methods/m.yaml")
    assert said(None, layers=[layer]) == "methods/m.yaml:1: 'seed' is 'x' (str), expected int"


def test_each_layer_is_checked_though_a_later_one_replaces_it(write: Write) -> None:
    write("seed: x\n", "base.yaml")
    path = write("include: base.yaml\nseed: 1\n")
    assert said(path, "seed=2") == "base.yaml:1: 'seed' is 'x' (str), expected int"


def test_files_that_are_not_there(write: Write) -> None:
    write("seed: 1\n", "base/tiny.yaml")
    assert said(Path("base/tyny.yaml")) == (
        "config: there is no file 'base/tyny.yaml'. Did you mean 'base/tiny.yaml'?"
    )
    assert said(Path("none/a.yaml")) == "config: there is no file 'none/a.yaml'"
    assert said(Path("base")) == "config: 'base' is a directory, expected a YAML file"
    assert said(write("seed: 1\ninclude:\n- base/tin.yaml\n")) == (
        "exp.yaml:3: include 'base/tin.yaml': there is no file 'base/tin.yaml'. "
        "Did you mean 'base/tiny.yaml'?"
    )
    assert said(write("include: base\n")) == (
        "exp.yaml:1: include 'base': 'base' is a directory, expected a YAML file"
    )
    assert said(write("include: {a: 1}\n")) == (
        "exp.yaml:1: 'include' is a path or a list of paths, relative to this file"
    )


def test_include_cycles_print_the_chain(write: Write) -> None:
    write("include: ../b.yaml\n", "sub/a.yaml")
    path = write("seed: 1\ninclude: sub/a.yaml\n", "b.yaml")
    assert said(path) == "sub/a.yaml:1: include cycle: b.yaml -> sub/a.yaml -> b.yaml"
    assert said(write("include: [exp.yaml]\n")) == (
        "exp.yaml:1: include cycle: exp.yaml -> exp.yaml"
    )


def test_bytes_that_are_not_utf8(write: Write) -> None:
    path = write("seed: 1\n")
    path.write_bytes(b"seed: 1\nmethod: \xff\n")
    assert said(path) == "exp.yaml:2: is not UTF-8 (byte 0xff)"


def test_a_byte_order_mark_is_no_mistake(write: Write) -> None:
    assert load(write("\ufeffseed: 5\r\nmethod: a\r\n"), schema=Config).seed == 5
