"""An SVG as files and pages can hold it: small, its letters text, without style and script.

Every property is an attribute, since the style of a page's policy may forbid those of elements.
"""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree

from uniapl_cli.figures import style
from uniapl_cli.figures.chart import Chart
from uniapl_cli.figures.draw import draw
from uniapl_cli.figures.names import legible

SPACE = "http://www.w3.org/2000/svg"
_LINK = "{http://www.w3.org/1999/xlink}href"
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_NUMBER = re.compile(r"-?\d+\.\d+(?:e[-+]?\d+)?")
# In the file the letters are as wide as the layout has them; a page brings its own.
FILE_FONTS, PAGE_FONTS = "DejaVu Sans, Verdana, sans-serif", "system-ui, sans-serif"
_PLACES = ("d", "x", "y", "transform", "width", "height")
# What matplotlib writes though it is SVG's initial value.
_INITIAL = {
    ("fill-rule", "nonzero"),
    ("stroke-dashoffset", "0"),
    ("font-weight", "400"),
    ("stroke-linecap", "butt"),
    ("text-anchor", "start"),
}


def file(chart: Chart) -> str:
    """Return the chart as an SVG file's text, on white."""
    root = _cleaned(chart, "u", None)
    root.set("font-family", FILE_FONTS)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + _text(root) + "\n"


def inline(chart: Chart, prefix: str, columns: int | None = None) -> str:
    """Return the chart as an <svg> element for HTML, transparent, in the page's text colour.

    Its ids begin with `prefix`, which is unlike that of every other figure of the page. It has its
    width and height in pixels; a page says `max-width: 100%; height: auto`.
    """
    root = _cleaned(chart, prefix, "currentColor", columns)
    root.set("font-family", PAGE_FONTS)
    for side in ("width", "height"):
        root.set(side, f"{float(root.get(side, '0').removesuffix('pt')) * 4 / 3:.0f}")
    return _text(root)


def _cleaned(
    chart: Chart, prefix: str, ink: str | None, columns: int | None = None
) -> ElementTree.Element:
    root = ElementTree.fromstring(_drawn(chart, ink is not None, columns))
    _prune(root)
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{SPACE}}}")
        element.tail = None
        if element.tag != "text" and element.tag != "tspan":
            element.text = None
        _properties(element, ink)
    _rename(root, prefix)
    _unwrap(root)
    root.attrib.pop("version", None)
    root.set("xmlns", SPACE)
    root.set("stroke-linejoin", "round")
    _tell(root, chart, prefix)
    return root


def _drawn(chart: Chart, transparent: bool, columns: int | None) -> bytes:
    buffer = io.BytesIO()
    with style.styled():
        draw(chart, columns).savefig(buffer, format="svg", transparent=transparent)
    return buffer.getvalue()


def _prune(root: ElementTree.Element) -> None:
    """Leave out metadata, with the date in it, style sheets and invisible grounds."""
    for parent in list(root.iter()):
        for child in list(parent):
            name = child.tag.rpartition("}")[2]
            look = child.get("style", "")
            invisible = name == "path" and "fill: none" in look and "stroke:" not in look
            if name in ("metadata", "style") or invisible:
                parent.remove(child)


def _properties(element: ElementTree.Element, ink: str | None) -> None:
    """Make attributes of an element's style."""
    for part in element.attrib.pop("style", "").split(";"):
        name, _, value = part.partition(":")
        name, value = name.strip(), value.strip()
        if name == "font":
            match = re.match(r"(?:(bold|\d+) )?([\d.]+)px", value)
            if match:
                element.set("font-size", match[2])
                if match[1]:
                    element.set("font-weight", match[1])
        elif name and name != "font-family" and (name, value) not in _INITIAL:
            element.set(name, value)
    if element.tag in ("text", "tspan") and ink:
        element.attrib.setdefault("fill", ink)
    for name, value in list(element.attrib.items()):
        if ink and value.lower() in (style.INK, "#000000"):
            value = ink
        straight = name != "d" or set(re.findall("[A-Za-z]", value)) <= set("MLz")
        if name in _PLACES and straight:
            # Pairs after M are lines.
            value = _NUMBER.sub(_shorter, value).replace("L", "")
        if value.startswith("rotate(-0 "):
            del element.attrib[name]
        else:
            element.set(name, " ".join(value.split()))


def _shorter(match: re.Match[str]) -> str:
    """Return a number with one decimal: a tenth of a point is a seventh of a pixel."""
    short = f"{float(match[0]):.1f}".removesuffix(".0")
    return "0" if short == "-0" else short


def _rename(root: ElementTree.Element, prefix: str) -> None:
    """Keep the ids that something refers to, short and with the prefix."""
    targets: dict[str, str] = {}
    for element in root.iter():
        if (link := element.attrib.pop(_LINK, None)) is not None:
            element.set("href", link)
        for name, value in element.attrib.items():
            found = [value[1:]] if name == "href" else _REFERENCE.findall(value)
            for target in found:
                targets.setdefault(target, f"{prefix}-{len(targets)}")
    for element in root.iter():
        own = element.attrib.pop("id", None)
        for name, value in list(element.attrib.items()):
            if name == "href":
                element.set(name, f"#{targets[value[1:]]}")
            else:
                new = _REFERENCE.sub(lambda match: f"url(#{targets[match[1]]})", value)
                element.set(name, new)
        if own in targets:
            element.set("id", targets[own])


def _unwrap(parent: ElementTree.Element) -> None:
    """Take groups without attributes apart, and leave out those without content."""
    children: list[ElementTree.Element] = []
    for child in list(parent):
        _unwrap(child)
        if child.tag in ("g", "defs") and not len(child):
            continue
        children += list(child) if child.tag == "g" and not child.attrib else [child]
    parent[:] = children


def _tell(root: ElementTree.Element, chart: Chart, prefix: str) -> None:
    """Give the figure a title and a description for readers who do not see it."""
    root.set("role", "img")
    root.set("aria-label", legible(chart.title))
    root.set("aria-describedby", f"{prefix}-about")
    title = ElementTree.Element("title")
    title.text = legible(chart.title)
    about = ElementTree.Element("desc", {"id": f"{prefix}-about"})
    about.text = legible(chart.description())
    root[:0] = [title, about]


def _text(root: ElementTree.Element) -> str:
    return ElementTree.tostring(root, encoding="unicode")
