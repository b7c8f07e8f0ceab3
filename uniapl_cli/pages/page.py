"""The page of a study: one HTML file that asks no other for anything."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import uniapl_cli
from uniapl_cli.pages.analyses import analyses
from uniapl_cli.pages.browser import cut_texts, samples
from uniapl_cli.pages.configs import configs, provenance
from uniapl_cli.pages.figures import figures
from uniapl_cli.pages.html import Html, element
from uniapl_cli.pages.results import results
from uniapl_cli.pages.samples import PROMPTS, side_by_side
from uniapl_cli.pages.study import Study

ASSETS = Path(__file__).parent / "assets"
STYLE = "page.css"
# The first runs before anything is drawn; all see each other's functions.
FIRST, SCRIPTS = "theme.js", ("elements.js", "choose.js", "address.js", "cards.js", "samples.js")


@dataclass(frozen=True)
class Page:
    """A page's text, what it shows, and in words what was left out."""

    text: str
    shown: Mapping[str, int]
    left_out: Sequence[str]


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    id: str
    title: str
    content: Sequence[Html]


def make_page(
    study: Study, *, table: int | None = None, title: str | None = None, prompts: int = PROMPTS
) -> Page:
    """Return the page of a study, the same for the same files.

    table: one of the paper's, to be shown with the study's figures. prompts: of each benchmark and
    draw. Raises DataError for files that cannot be read.
    """
    sets = side_by_side(study.evaluations, prompts)
    names = [one.name for one in study.evaluations]
    sections = [
        Section("results", "Results", results(study.evaluations)),
        Section("paper", f"The paper's Table {table}", _paper(study, table)),
        Section("figures", "Figures", figures(study)),
        Section("analyses", "Analyses", analyses(study.analyses)),
        Section("samples", "Samples side by side", samples(sets, names) if sets else []),
        Section("configs", "Configs and differences", configs(study.runs)),
        Section("provenance", "How it was made", provenance(study)),
    ]
    shown = {
        "evaluations": len(study.evaluations),
        "runs": len(study.runs),
        "analyses": len(study.analyses),
        "samples": sum(len(one.rows) for one in sets),
    }
    name = title or study.folder.resolve().name
    text = _document(name, shown, [section for section in sections if section.content])
    return Page(text, shown, cut_texts(sets))


def _paper(study: Study, number: int | None) -> Sequence[Html]:
    if number is None:
        return []
    # Imported only here: it knows the benchmarks, and with them comes torch.
    from uniapl_cli.pages.paper import paper

    return paper(number, study.evaluations)


def _document(title: str, shown: Mapping[str, int], sections: Sequence[Section]) -> str:
    style, first = (_asset(name) for name in (STYLE, FIRST))
    scripts = [_asset(name) for name in SCRIPTS]
    policy = _policy(style, first, *scripts)
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="color-scheme", content="light dark"),
        # Else a browser asks for favicon.ico.
        element("link", rel="icon", href="data:,"),
        element("title", title),
        element("style", Html(style)),
        element("script", Html(first)),
    )
    body = element(
        "body",
        element("a", "Skip to the results", href=f"#{sections[0].id}", class_="skip"),
        _header(title, shown, sections),
        element("main", map(_section, sections)),
        element("footer", element("p", f"Made by uniapl {uniapl_cli.__version__}.")),
        (element("script", Html(script)) for script in scripts),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _header(title: str, shown: Mapping[str, int], sections: Sequence[Section]) -> Html:
    links = (element("li", element("a", one.title, href=f"#{one.id}")) for one in sections)
    return element(
        "header",
        element(
            "div",
            element("h1", title),
            element("p", _summary(shown)),
            class_="title",
        ),
        element("button", "Theme: auto", type="button", id="theme"),
        element("nav", element("ul", links), aria_label="Contents"),
    )


def _summary(shown: Mapping[str, int]) -> str:
    """Return how much there is: `5 evaluations, 3 runs`."""
    counts = (
        f"{count} {name if count > 1 else name.removesuffix('s').replace('analyse', 'analysis')}"
        for name, count in shown.items()
        if count
    )
    return ", ".join(counts)


def _section(section: Section) -> Html:
    heading = element("h2", section.title, id=f"{section.id}-title")
    return element(
        "section",
        heading,
        *section.content,
        id=section.id,
        tabindex="-1",
        aria_labelledby=f"{section.id}-title",
    )


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _policy(style: str, *scripts: str) -> str:
    """Return the policy that nothing is loaded, and that these texts alone run and style."""
    hashes = " ".join(map(_hash, scripts))
    return (
        f"default-src 'none'; script-src {hashes}; style-src {_hash(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
