"""HTML as text: what is put into an element is escaped unless it is an element itself."""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape
from typing import Any

# Elements without an end tag.
VOID = ("input", "link", "meta")


class Html(str):
    """A text that is HTML already."""

    __slots__ = ()


def element(name: str, /, *children: Any, **attributes: Any) -> Html:
    """Return an element; `class_` and `data_x` are the attributes class and data-x.

    True is an attribute without a value; None and False are none. A child is a text, an Html, or an
    iterable of these; None is no child.
    """
    tag = name + "".join(_attribute(*one) for one in attributes.items())
    if name in VOID:
        return Html(f"<{tag}>")
    return Html(f"<{tag}>{joined(children)}</{name}>")


def joined(children: Iterable[Any]) -> Html:
    """Return children one behind the other."""
    return Html("".join(_child(child) for child in children))


def embedded(id: str, value: Any) -> Html:
    """Return a value as JSON in an element that no text in it can end."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return element("script", Html(_clean(text)), type="application/json", id=id)


def _child(child: Any) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child
    if isinstance(child, str):
        return escape(_clean(child))
    if isinstance(child, Iterable):
        return joined(child)
    return escape(str(child))


def _attribute(name: str, value: Any) -> str:
    name = name.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{escape(_clean(str(value)))}"'


def _clean(text: str) -> str:
    """Return a text without halves of surrogate pairs, which no file holds."""
    return text.encode("utf-8", "replace").decode()
