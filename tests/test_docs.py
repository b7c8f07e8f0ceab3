"""What the documents name is there: commands, keys, files, modules; and the drawing's layers."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from contextlib import suppress
from functools import cache

import pytest
from command_lines import ROOT, commands_in, compose, make_targets, read, verbs

import uniapl_cli
from uniapl_cli.commands.listing import catalogue
from uniapl_cli.config.keys import describe
from uniapl_cli.config.schema import Config

GENERATED = ("configuration.md", "every-method.md")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "SECURITY.md"]
PAGES += [path for path in sorted((ROOT / "docs").glob("*.md")) if path.name not in GENERATED]
PAGES += sorted((ROOT / "benchmarks").rglob("README.md"))
# The changelog names keys that are gone, in its table of old and new ones.
CURRENT = [path for path in PAGES if path.name != "CHANGELOG.md"]

FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FOLDERS = "experiments|examples|tests|uniapl_cli|benchmarks|docs"


def fences(path):
    return FENCE.findall(path.read_text("utf-8"))


def spans(path):
    """What stands between backticks outside of code blocks, on one line each."""
    prose = FENCE.sub("", path.read_text("utf-8"))
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]


def commands(path):
    blocks = [block for language, block in fences(path) if language in ("bash", "sh", "console")]
    typed = [command for block in blocks for command in commands_in(block)]
    in_text = [span for span in spans(path) if re.match(r"uniapl [a-z]", span)]
    return typed + [text for text in in_text if text.removeprefix("uniapl ") not in verbs()]


COMMANDS = [
    pytest.param(command, id=f"{path.name}: {command[:60]}")
    for path in PAGES
    for command in commands(path)
]


@cache
def keys():
    """The pattern of all keys, of their sections and maps, and of each choice's `kind`."""
    names = set()
    for key in describe(Config):
        parent = key.name.rpartition(".")[0]
        names |= {key.name, parent} | ({f"{parent}.kind"} if key.kind else set())
    return re.compile("|".join(re.escape(n).replace("<name>", "[A-Za-z_]+") for n in names))


def keys_in(span):
    """The keys of a span: `data.prompts`, `data.prompts=FILE`, or several of them; no files."""
    section = "|".join(Config.model_fields)
    found = re.findall(rf"(?<![\w./-])((?:{section})(?:\.\w+)+)(?![\w./(])", span)
    return [name for name in found if not name.endswith((".json", ".jsonl"))]


def keys_named(path):
    return [name for span in spans(path) for name in keys_in(span)]


def test_there_are_commands_and_keys_to_check():
    assert len(COMMANDS) >= 20
    assert sum(len(keys_named(path)) for path in CURRENT) >= 60


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_parses_and_its_config_composes(command):
    read(command)
    compose(command)


@pytest.mark.parametrize("path", CURRENT, ids=lambda path: path.name)
def test_each_key_is_one(path):
    modules = {name for name in keys_named(path) if is_module(f"uniapl_cli.{name}")}
    named = set(keys_named(path)) - modules
    assert [name for name in sorted(named) if not keys().fullmatch(name)] == []


@pytest.mark.parametrize("path", CURRENT, ids=lambda path: path.name)
def test_each_file_is_there(path):
    named = [span for span in spans(path) if re.fullmatch(rf"({FOLDERS})(/[\w.-]+)+/?", span)]
    assert [span for span in named if not (ROOT / span).exists()] == []


def is_test(file, name):
    path = ROOT / file
    return path.exists() and re.search(rf"^def {name}\(", path.read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("path", CURRENT, ids=lambda path: path.name)
def test_each_test_that_is_named_is_one(path):
    named = re.findall(r"(tests/[\w/]+\.py)::(\w+)", " ".join(spans(path)))
    assert len(named) >= (30 if path.name == "paper.md" else 0)
    assert ["::".join(one) for one in named if not is_test(*one)] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_each_link_leads_somewhere(path):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text("utf-8"))
    inside = [link for link in links if "://" not in link]
    assert [link for link in inside if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_each_make_target_is_one(path):
    blocks = [line for _, block in fences(path) for line in block.splitlines()]
    found = [re.match(r"\s*(?:\$ )?make ([a-z0-9 -]+)", line) for line in blocks + spans(path)]
    named = {word for match in found if match for word in match[1].split()}
    named = {word for word in named if not word.startswith("-")}
    assert named <= make_targets()


def test_what_a_config_may_choose_is_explained():
    """Each registered name, but for the instructions of verifiers and the servers' kinds."""
    text = "".join(path.read_text("utf-8") for path in CURRENT)
    explained = set(re.findall(r"[\w:]+", " ".join(re.findall(r"`([^`\n]+)`", text))))
    listed = catalogue(None)
    del listed["methods"]  # which have a page of their own, made from their files
    for kind in ("verifiers", "dialects", "engines", "generators", "corruptions"):
        del listed[kind]
    names = {entry["name"] for entries in listed.values() for entry in entries}
    assert names - explained == set()


def test_contributing_lists_every_decorator():
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    public = {name for name in dir(uniapl_cli) if name.startswith("register_")}
    assert set(re.findall(r"`(register_\w+)`", text)) == public


def test_every_page_is_reached_from_the_readme():
    text = (ROOT / "README.md").read_text("utf-8")
    pages = [*ROOT.glob("docs/*.md"), *ROOT.glob("[CS]*.md")]
    assert [path.name for path in pages if f"({path.relative_to(ROOT)})" not in text] == []


ARCHITECTURE = ROOT / "docs" / "architecture.md"
DRAWING, TREE, LAYERS = (block for _, block in fences(ARCHITECTURE))


def is_module(name):
    """Whether a dotted name is a module, or something that a module holds."""
    with suppress(ModuleNotFoundError):
        return importlib.util.find_spec(name) is not None or _is_held(name)
    return _is_held(name)


def _is_held(name):
    parent, _, last = name.rpartition(".")
    with suppress(ModuleNotFoundError):
        return hasattr(importlib.import_module(parent), last)
    return False


def test_the_drawing_names_modules():
    packages = "|".join(path.name for path in (ROOT / "uniapl_cli").iterdir() if path.is_dir())
    singles = "|".join(path.stem for path in (ROOT / "uniapl_cli").glob("*.py"))
    named = set(re.findall(rf"\b((?:{packages}|{singles})\.\w+(?:\.\w+)?)", DRAWING))
    named = {name.removesuffix(".*") for name in named}
    assert len(named) >= 20
    assert [name for name in sorted(named) if not is_module(f"uniapl_cli.{name}")] == []


def test_the_tree_has_a_line_for_each_room():
    rooms = set(re.findall(r"^  (\w+)/ ", TREE, re.MULTILINE))
    there = {path.name for path in (ROOT / "uniapl_cli").iterdir() if path.is_dir()}
    assert rooms == there - {"__pycache__"}


def test_the_layers_are_those_that_make_check_holds():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (layers,) = [c for c in settings["tool"]["importlinter"]["contracts"] if c["type"] == "layers"]
    assert LAYERS.splitlines() == [line.replace("uniapl_cli.", "") for line in layers["layers"]]


def test_the_citation_is_of_this_version():
    text = (ROOT / "CITATION.cff").read_text("utf-8")
    assert re.search(r"^version: (.+)$", text, re.MULTILINE)[1] == uniapl_cli.__version__
    assert f"## [{uniapl_cli.__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_the_changelog_names_keys_that_are_gone_and_keys_that_are_there():
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    table = text.partition("| old key | new key |\n|---|---|\n")[2].partition("\n\n")[0]
    rows = [row.strip("| ").split(" | ") for row in table.splitlines()]
    assert len(rows) >= 18
    assert [old for old, _ in rows for key in keys_in(old) if keys().fullmatch(key)] == []
    assert [new for _, new in rows for key in keys_in(new) if not keys().fullmatch(key)] == []
