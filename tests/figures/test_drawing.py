"""Figures as files and in pages: the same bytes twice, plain XML, the page's ink, any name."""

import itertools
import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from uniapl_cli.errors import DataError
from uniapl_cli.figures import style, svg
from uniapl_cli.figures.chart import Chart, Panel, Series
from uniapl_cli.figures.names import legible, shortened
from uniapl_cli.figures.save import save

SMALL = Chart(
    "small",
    "Two lines",
    (
        Panel(
            "loss",
            (
                Series("a", (1.0, 2.0), (3.0, 4.0), (2.5, 3.5), (3.5, 4.5)),
                Series("b", (1.0,), (2.0,)),
            ),
            "step",
        ),
    ),
)


def test_the_same_chart_gives_the_same_bytes(tmp_path):
    first = [path.read_bytes() for path in save(SMALL, tmp_path / "one/a.b")]
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from test_drawing import SMALL; "
        "from uniapl_cli.figures.save import save; save(SMALL, sys.argv[2]); "
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    here = str(tmp_path / "two")
    command = [sys.executable, "-c", code, str(__file__).rpartition("/")[0], here]
    subprocess.run(command, check=True)
    assert [(tmp_path / f"two.{kind}").read_bytes() for kind in ("png", "svg")] == first
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == ["a.b.png", "a.b.svg"]


def test_a_users_own_settings_change_nothing(tmp_path):
    import matplotlib

    first = [path.read_bytes() for path in save(SMALL, tmp_path / "one")]
    theirs = {"axes.facecolor": "red", "lines.linewidth": 9, "axes.labelpad": 30}
    with matplotlib.rc_context(theirs):
        assert [path.read_bytes() for path in save(SMALL, tmp_path / "two")] == first
        assert matplotlib.rcParams["lines.linewidth"] == 9


def test_what_cannot_be_written_is_said_before_anything_is_drawn(tmp_path):
    (tmp_path / "a.svg").mkdir()
    with pytest.raises(DataError) as caught:
        save(SMALL, tmp_path / "a")
    assert caught.value.got == str(tmp_path / "a.svg")
    assert not (tmp_path / "a.png").exists()


@pytest.fixture(scope="module")
def texts(odd_chart):
    return {"file": svg.file(odd_chart), "page": svg.inline(odd_chart, "f7")}


@pytest.mark.parametrize("kind", ["file", "page"])
def test_an_svg_is_xml_that_refers_to_nothing_outside(texts, kind):
    root = ElementTree.fromstring(texts[kind])
    ids, used = [], []
    for element in root.iter():
        assert element.tag.rpartition("}")[2] not in {"script", "style", "image", "foreignObject"}
        for name, value in element.attrib.items():
            assert name not in {"style", "class"} and not name.startswith("on"), name
            if name == "id":
                ids.append(value)
            elif name.endswith("href"):
                assert value.startswith("#")
                used.append(value[1:])
            elif name == "aria-describedby":
                used.append(value)
            else:
                used += re.findall(r"url\(#([^)]+)\)", value)
    assert len(ids) == len(set(ids)) and set(ids) == set(used)
    assert texts[kind].count("http") == 1  # the namespace


def test_ids_of_two_figures_do_not_clash(odd_chart):
    found = [set(re.findall(r'id="([^"]*)"', svg.inline(odd_chart, name))) for name in ("a", "b")]
    assert all(found) and not found[0] & found[1]
    assert all(one.startswith("a-") for one in found[0])


def test_in_a_page_the_ink_is_the_pages_and_the_ground_too(texts):
    page = texts["page"].lower()
    assert "currentcolor" in page
    assert style.INK not in page and style.GROUND not in page and "#000000" not in page
    colours = set(re.findall(r"#[0-9a-f]{6}", page))
    assert colours <= set(style.PALETTE)
    for element in ElementTree.fromstring(texts["page"]).iter():
        if element.tag.endswith("text"):
            assert element.get("fill") == "currentColor"
    assert style.GROUND in texts["file"]


def test_an_odd_name_stays_text(texts, odd_chart):
    for text in texts.values():
        root = ElementTree.fromstring(text)
        words = {
            "".join(element.itertext()) for element in root.iter() if element.tag.endswith("text")
        }
        assert shortened(odd_chart.title) in words and "_b" in words
        assert root.get("aria-label") == legible(odd_chart.title)
        assert root.get("role") == "img"
        described = next(e for e in root.iter() if e.get("id") == root.get("aria-describedby"))
        assert "density" in described.text


def test_names_are_one_line_that_any_text_can_hold():
    assert legible("a\nb\t c\x00\ud800") == "a b c\ufffd\ufffd"
    assert shortened("a" * 30 + "b" * 30, 21) == "a" * 10 + "…" + "b" * 10
    for most in range(1, 8):
        assert len(shortened("abcdefghij", most)) == most


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True)), linear


# Machado et al. 2009, severity 1: what readers without one of the three cones see.
BLIND = (
    ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
)
XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))


def times(matrix, vector):
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def lab(linear):
    x, y, z = times(XYZ, [min(max(part, 0), 1) for part in linear])
    f = [
        v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116
        for v in (x / 0.95047, y, z / 1.08883)
    ]
    return 116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])


def test_colours_are_seen_on_white_and_near_black_and_told_apart():
    for colour in style.PALETTE:
        light = luminance(colour)[0]
        assert 1.05 / (light + 0.05) >= 3
        assert (light + 0.05) / (luminance("#111111")[0] + 0.05) >= 3
    for matrix in BLIND:
        seen = [lab(times(matrix, luminance(colour)[1])) for colour in style.PALETTE]
        for one, other in itertools.combinations(seen, 2):
            assert sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5 > 25


def test_no_two_of_many_series_look_alike():
    looks = {(style.colour(i), str(style.dash(i))) for i in range(25)}
    assert len(looks) == 25
