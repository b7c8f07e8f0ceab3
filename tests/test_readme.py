"""The README is one page, shows a packaged method as it is, and what it says to type is there."""

import re

import pytest
from command_lines import ROOT, compose, make_targets

from uniapl_cli.commands.listing import catalogue

TEXT = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_it_is_one_page():
    assert len(TEXT.splitlines()) <= 120


def test_the_equation_is_the_packaged_methods():
    (shown,) = [block for language, block in BLOCKS if language == "yaml"]
    assert shown == (ROOT / "uniapl_cli" / "methods" / "unified.yaml").read_text("utf-8")


def test_the_environment_is_activated_before_the_first_command():
    typed = [block for language, block in BLOCKS if language == "bash"]
    lines = [line for block in typed for line in block.splitlines()]
    first = next(i for i, line in enumerate(lines) if line.startswith("uniapl "))
    assert any("bin/activate" in line for line in lines[:first])


def test_the_papers_methods_have_their_rows():
    listed = catalogue("methods")["methods"]
    papers = {own["name"] for own in listed if "UniAPL" in (own["paper"] or "")}
    rows = "\n".join(line for line in TEXT.splitlines() if line.startswith("| `uniapl train"))
    assert papers and set(re.findall(r"\w+", rows)) >= papers


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("uniapl evla", "AssertionError"),
        ("uniapl eval --jsno", "NoSuchOption"),
        ("uniapl eval evl.limit=1", "ConfigError"),
        ("uniapl eval --config experiments/absent.yaml", "AssertionError"),
    ],
)
def test_a_wrong_command_would_be_found(text, error):
    with pytest.raises(Exception) as caught:  # noqa: B017  typer's own are not public
        compose(text)
    assert type(caught.value).__name__ == error


@pytest.mark.parametrize("script", ["Makefile", ".ci/run", ".github/workflows/ci.yml"])
def test_what_make_and_ci_call_is_there(script):
    text = (ROOT / script).read_text("utf-8")
    for path in re.findall(r"experiments/\S+\.sh", text):
        assert (ROOT / path).stat().st_mode & 0o111
    for line in re.findall(r"^\s*(?:- run: |run: )?make ([a-z0-9 -]+)$", text, re.MULTILINE):
        assert set(line.split()) <= make_targets()
