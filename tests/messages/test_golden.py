"""What is said of mistakes: golden.txt holds it for a person to read, and these hold its form."""

import difflib
import re
import tempfile

import pytest
from cases import CATALOGUE, GOLDEN, provoke_all, render

from uniapl_cli.errors import UniAPLError

pytestmark = pytest.mark.slow

# What no message may have in it: traces, addresses in memory, this machine's paths, placeholders.
NOT_FOR_PEOPLE = re.compile(
    rf"Traceback|0x[0-9a-f]{{6,}}|/(work|home|usr|root)/|{tempfile.gettempdir()}/"
    r"|(?<!\$)\{[a-z_.]+}|<name>|\?\?\?|'None'|<class|  |''|: :"
)
# Which is an empty text, and a name in a command to type.
FINE = ("with base 16: ''", "='\"\"'", "'${b'")


@pytest.fixture(scope="module")
def messages():
    return provoke_all()


def test_the_golden_file_is_what_is_said(messages):
    diff = difflib.unified_diff(
        GOLDEN.read_text("utf-8").splitlines(), render(messages).splitlines(), "golden.txt", "now"
    )
    assert not (lines := list(diff)), "\n".join(["make style rewrites it:", *lines])


def test_every_message_is_one_line_for_people(messages):
    for name, message in messages.items():
        text = str(message)
        assert len(text.splitlines()) == 1, name
        for fine in FINE:
            text = text.replace(fine, "")
        assert not NOT_FOR_PEOPLE.search(text), f"{name}: {text}"


def test_every_error_carries_its_fields(messages):
    for name, mistake in CATALOGUE.items():
        error = messages[name]
        lacking = [f for f in mistake.fields if getattr(error, f, None) in (None, ())]
        assert not lacking, f"{name}: {lacking}"
        if isinstance(error, UniAPLError) and error.key:
            assert error.key in str(error), name
