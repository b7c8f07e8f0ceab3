import json

import pytest

from uniapl_cli.figures.chart import Chart, Panel, Series

ODD = "<b>&\"'_$x$ \x00\x1b\ud83d ]]> %s {0}"


@pytest.fixture(scope="module")
def odd_chart():
    """Every look, with names that XML, mathematics and legends of matplotlib read otherwise."""
    x, y = (1.0, 2.0, 3.0), (0.5, 0.25, 1.5)
    low, high = (0.25, None, 1.0), (0.75, None, 2.0)
    panels = (
        Panel(
            ODD, (Series(ODD, x, y, raw=(0.0, 1.0, 2.0)), Series("_b", x, y, low, high)), ODD, ODD
        ),
        Panel("points", (Series(ODD, (0.0, 0.1), (1.0, 2.0), look="points"),), x_scale="amounts"),
        Panel("density", (Series("_b", x, y, look="density", ink=True),), zero="x"),
        Panel(
            "bars", (Series(ODD, (3.0,), (0.0,), (2.0,), (4.0,), look="bars"),), categories=(ODD,)
        ),
    )
    return Chart("odd", ODD, panels, "A note: " + ODD)


@pytest.fixture
def make_run(tmp_path):
    """make_run(name, rows): a run directory with these lines of metrics."""

    def make(name, rows, tail=""):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        lines = [json.dumps({"version": 2, **row}) + "\n" for row in rows]
        (folder / "metrics.jsonl").write_text("".join(lines) + tail, encoding="utf-8")
        return folder

    return make
