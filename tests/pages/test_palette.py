"""The page's colours are far enough apart to be read: WCAG 2.2 AA, light and dark."""

import re

import pytest

from uniapl_cli.pages.page import ASSETS, STYLE

PAIR = re.compile(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);")
COLOURS = {
    name: (light, dark) for name, light, dark in PAIR.findall((ASSETS / STYLE).read_text("utf-8"))
}
# Text and what it stands on: 4.5; borders of controls and the ring of the focus: 3.
TEXTS = [
    *((text, ground) for text in ("ink", "muted", "accent") for ground in ("ground", "surface")),
    *((text, "sunken") for text in ("ink", "muted", "pass", "fail", "warn", "accent")),
    *((text, "surface") for text in ("pass", "fail", "warn")),
    *((text, f"{text}-ground") for text in ("pass", "fail", "warn")),
    *((text, "pass-ground") for text in ("ink", "muted", "accent")),
]
LINES = [("control-line", "surface"), ("control-line", "ground"), ("accent", "ground")]


def luminance(colour: str) -> float:
    """Relative luminance of sRGB, as WCAG defines it."""
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(first: str, second: str) -> float:
    low, high = sorted([luminance(first), luminance(second)])
    return (high + 0.05) / (low + 0.05)


def test_the_measure_is_wcags():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_texts_and_controls_stand_out(scheme):
    colours = {name: pair[scheme] for name, pair in COLOURS.items()}
    found = {
        (front, ground): round(contrast(colours[front], colours[ground]), 2)
        for front, ground in TEXTS + LINES
    }
    needed = {**dict.fromkeys(TEXTS, 4.5), **dict.fromkeys(LINES, 3)}
    assert {pair: value for pair, value in found.items() if value < needed[pair]} == {}


def test_every_colour_is_in_the_palette():
    style = (ASSETS / STYLE).read_text("utf-8")
    rest = PAIR.sub("", style)
    assert re.findall(r"#[0-9a-f]{3,8}\b", rest) == []
