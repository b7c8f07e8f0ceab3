"""The packaged methods as they are listed: what each is, and what it needs."""

import json

import pytest
from command_lines import ROOT

from uniapl_cli import load_config
from uniapl_cli.commands.list_methods import asked, described, methods, page, required
from uniapl_cli.commands.listing import catalogue, columns
from uniapl_cli.config.methods import packaged

NEEDS = {
    "sft": "data.demonstrations (response)",
    "grpo": "data.prompts (constraints); frozen start",
    "asft": "data.demonstrations (response); discriminator",
    "unified": (
        "data.demonstrations (response); data.prompts (constraints, response); discriminator; "
        "frozen start"
    ),
    "dpo": "data.preferences (rejected, response); frozen start",
    "gkd": "data.demonstrations (response); data.prompts; references.teacher.path",
    "opsd": "data.prompts (response); frozen start",
    "sdft": "data.prompts (response); moving average",
    "sdpo": "data.prompts (constraints); moving average",
}


@pytest.mark.parametrize("method", NEEDS)
def test_what_a_method_needs_follows_from_its_terms(method):
    assert asked(described(method)) == NEEDS[method]


def test_a_term_that_is_off_needs_nothing():
    """CHORD's anchor waits for schedules.lambda_adv."""
    assert "discriminator" not in asked(described("chord"))
    assert "discriminator" in asked(described("achord"))


@pytest.mark.parametrize(
    ("reference", "columns", "models"),
    [
        ("{path: tiny:teacher}", ["constraints"], ["references.other.path"]),
        ("{ema: 0.05}", ["constraints"], ["moving average"]),
        ("{context: demonstration}", ["constraints", "response"], []),
        ("{context: demonstration, of: start}", ["constraints", "response"], ["frozen start"]),
    ],
)
def test_what_a_reference_needs(reference, columns, models):
    settings = [f"references.other={reference}", "terms.kl.objective.reference=other"]
    assert required(load_config(None, settings, "grpo")) == ({"data.prompts": columns}, models)


def test_each_method_is_listed_with_its_equation():
    found = methods()
    assert [own["name"] for own in found] == list(packaged())
    assert all(own["equation"].startswith("g = ") for own in found)
    assert json.loads(json.dumps(found)) == found


def test_the_table_has_a_row_a_method_and_the_whole_list_has_them_too():
    head, rows = columns(catalogue("methods"))
    assert head == ["method", "equation", "paper", "code", "needs"]
    assert ["sft", "g = SFT"] in [row[:2] for row in rows]
    head, rows = columns(catalogue())
    assert ["methods", "sft", NEEDS["sft"], "g = SFT"] in rows
    assert {len(row) for row in rows} == {len(head)}


def test_an_uncertain_method_says_so():
    own = {**described("sft"), "experimental": True}
    assert columns({"methods": [own]})[1][0][0] == "sft (experimental)"


def test_the_page_of_every_method_is_fresh():
    written = (ROOT / "docs" / "every-method.md").read_text("utf-8")
    assert written == page(), "make style rewrites it"
