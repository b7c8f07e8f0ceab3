"""What the README says to type can be typed."""

import re

import pytest
from command_lines import ROOT, commands_in, compose, read, verbs

TEXT = (ROOT / "README.md").read_text("utf-8")
FENCES = re.findall(r"^```(\w*)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
BLOCKS = [block for language, block in FENCES if language in ("bash", "sh", "console")]
PROSE = re.sub(r"^```.*?^```", "", TEXT, flags=re.MULTILINE | re.DOTALL)
SPANS = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", PROSE)]
COMMANDS = [command for block in BLOCKS for command in commands_in(block)]
MENTIONED = [span for span in SPANS if span.startswith("uniapl ")]


def targets() -> set[str]:
    return set(
        re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    )


def test_there_are_commands_to_check():
    assert len(COMMANDS) >= 4
    assert any(re.match(r"make ", line) for block in BLOCKS for line in block.splitlines())


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_parses_and_its_config_composes(command):
    read(command)
    compose(command)


@pytest.mark.parametrize("command", MENTIONED)
def test_each_command_in_the_text_parses(command):
    if command.removeprefix("uniapl ") not in verbs():
        read(command)
        compose(command)


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


def test_every_make_target_is_there():
    lines = [line for block in BLOCKS for line in block.splitlines()] + SPANS
    named = {
        word
        for line in lines
        if (found := re.match(r"\s*(?:\$ )?make ([a-z -]+)", line))
        for word in found[1].split()
    }
    assert "demo" in named
    assert named <= targets()


def test_every_file_named_is_there():
    named = [span for span in SPANS if re.fullmatch(r"(experiments|tests|uniapl_cli)/\S+", span)]
    assert [span for span in named if not (ROOT / span).exists()] == []


@pytest.mark.parametrize("script", ["Makefile", ".ci/run"])
def test_what_make_and_ci_call_is_there(script):
    text = (ROOT / script).read_text("utf-8")
    for path in re.findall(r"experiments/\S+\.sh", text):
        assert (ROOT / path).stat().st_mode & 0o111
    for line in re.findall(r"^make (.*)$", text, re.MULTILINE):
        assert set(line.split()) <= targets()
