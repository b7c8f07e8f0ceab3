"""Tables as HTML: each in a box of its own, which scrolls where it is wider than the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from uniapl_cli.pages.html import Html, element

# A cell is a text or an element.
Cell = Any


def table(
    caption: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    groups: Sequence[str] = (),
    figures: bool = True,
    marked: Iterable[int] = (),
    tall: bool = False,
) -> Html:
    """Return a table whose first cells are the names of its rows.

    groups: the headings above all columns but the first; equal ones that are side by side are one.
    figures: whether all cells but the first are numbers. marked: rows that are set apart. tall: it
    has many rows, and scrolls in its box that way too.
    """
    set_apart = set(marked)
    head = [_grouped(groups)] if groups else []
    head.append(element("tr", (element("th", name, scope="col") for name in columns)))
    body = [
        element(
            "tr",
            element("th", first, scope="row"),
            (element("td", cell) for cell in rest),
            class_="marked" if number in set_apart else None,
        )
        for number, (first, *rest) in enumerate(rows)
    ]
    grid = element(
        "table",
        element("thead", head),
        element("tbody", body),
        class_="figures" if figures else "texts",
        aria_label=caption,
    )
    # The caption stays where it is while the table scrolls under it. The box takes the focus, so
    # that a keyboard can scroll it.
    box = element("div", grid, class_="scrolls", tabindex="0", role="region", aria_label=caption)
    kind = "table tall" if tall else "table"
    return element("figure", element("figcaption", caption), box, class_=kind)


def _grouped(groups: Sequence[str]) -> Html:
    spans = [(name, len(list(same))) for name, same in groupby(groups)]
    return element(
        "tr",
        element("td"),
        (element("th", name, scope="colgroup", colspan=str(span)) for name, span in spans),
    )


def folded(title: Any, *content: Any, id: str | None = None) -> Html:
    """Return content that is shown when its title is chosen."""
    return element("details", element("summary", title), *content, id=id)


def code(text: str, label: str) -> Html:
    """Return a text as it is, with a button that copies it."""
    button = element("button", "Copy", type="button", class_="copy", aria_label=f"Copy {label}")
    # It takes the focus, so that a keyboard can scroll it.
    return element(
        "div",
        button,
        element("pre", text, tabindex="0", role="region", aria_label=label),
        class_="code",
    )
