"""The section of samples: the controls, and the data that the page's scripts show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from uniapl_cli.pages.html import Html, element, embedded
from uniapl_cli.pages.samples import SampleSet, left_out, shown_first

SIZES = (5, 10, 20, 50)
KEYS = (
    ("/", "search"),
    ("j, k", "next, previous sample"),
    ("n, p", "next, previous page"),
    ("r", "reset the filters"),
    ("Esc", "leave the search"),
    ("?", "show this list"),
)


def samples(sets: Sequence[SampleSet], names: Sequence[str]) -> list[Html]:
    """Return controls and data; of each set the data is an element of its own, read when chosen."""
    index = {
        "models": list(names),
        "shown": shown_first(names),
        "sets": [
            {"title": one.title, "draw": one.draw, "total": one.total, "shown": len(one.ids())}
            for one in sets
        ],
    }
    return [
        element("noscript", element("p", "Samples need JavaScript; all else does not.")),
        *cut_notes(sets),
        _form(),
        element(
            "div",
            element("p", "", id="count", role="status", aria_live="polite"),
            _pager("top"),
            class_="bar",
        ),
        element("ol", "", id="cards"),
        _pager("bottom"),
        _help(),
        embedded("samples-index", index),
        *(embedded(f"samples-{number}", one.rows) for number, one in enumerate(sets)),
    ]


def cut_notes(sets: Sequence[SampleSet]) -> list[Html]:
    """Return a line for each set of which prompts were left out."""
    return [element("p", said, class_="aside warn") for said in cut_texts(sets)]


def cut_texts(sets: Sequence[SampleSet]) -> list[str]:
    """Return in words of which sets prompts were left out."""
    return [
        f"{one.title}, {one.draw}: {one.total - missing} of {one.total} prompts are on the page, "
        f"evenly spread; {missing} were left out"
        for one, missing in left_out(sets)
    ]


def _form() -> Html:
    """Return the filters, which the scripts fill with what there is to choose from."""
    return element(
        "form",
        _field("set", "Benchmark and draw", _select("set")),
        _field(
            "q",
            "Search texts",
            element(
                "input", type="search", id="q", name="q", autocomplete="off", spellcheck="false"
            ),
        ),
        _field("passes", "Passed by", _select("passes")),
        _field("fails", "Failed by", _select("fails")),
        _field("instruction", "Instruction", _select("instruction")),
        _field("sort", "Order", _select("sort")),
        _field("first", "Difference of", _select("first"), class_="field difference"),
        _field("second", "less", _select("second"), class_="field difference"),
        _field("size", "Samples a page", _select("size", SIZES)),
        element(
            "div",
            element("input", type="checkbox", id="disagree", name="disagree"),
            element("label", "Models disagree", for_="disagree"),
            class_="check",
        ),
        element("fieldset", element("legend", "Models shown"), id="models"),
        element(
            "div",
            element("button", "Reset", type="button", id="reset"),
            element("button", "Copy link", type="button", id="link"),
            element("button", "Keys (?)", type="button", id="keys"),
            class_="buttons",
        ),
        id="filters",
        aria_label="Filter samples",
    )


def _field(id: str, label: str, control: Html, **attributes: Any) -> Html:
    named = element("label", label, for_=id)
    return element("div", named, control, **{"class_": "field", **attributes})


def _select(id: str, values: Iterable[Any] = ()) -> Html:
    options = (element("option", str(value), value=str(value)) for value in values)
    return element("select", options, id=id, name=id)


def _pager(where: str) -> Html:
    return element(
        "nav",
        element("button", "Previous", type="button", class_="previous"),
        element("span", "", class_="place"),
        element("button", "Next", type="button", class_="next"),
        class_="pager",
        aria_label=f"Pages of samples, {where}",
    )


def _help() -> Html:
    rows = (
        element("div", element("dt", element("kbd", keys)), element("dd", what))
        for keys, what in KEYS
    )
    return element(
        "dialog",
        element("h3", "Keys", id="help-title"),
        element("dl", rows, class_="keys"),
        element("button", "Close", type="button", id="close"),
        id="help",
        aria_labelledby="help-title",
    )
