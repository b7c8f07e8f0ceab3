"""An entry depends on the code of plug-ins, on the program's, and on the whole tokenizer."""

import sys
from importlib import import_module, invalidate_caches

import pytest

from uniapl_cli.chat import Chat
from uniapl_cli.data import layouts
from uniapl_cli.data.stored import depends as module
from uniapl_cli.data.stored.depends import chat_parts, code_parts

OWN = [layouts["messages"].definition]


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """plugin(name): the function of a module in tmp_path, which another one helps."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "helper_of_rows.py").write_text("MARK = 1\n")
    lines = "import helper_of_rows\n\ndef layout(row, build):\n    return helper_of_rows.MARK\n"
    (tmp_path / "rows_of_mine.py").write_text(lines)
    package = tmp_path / "package_of_rows"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "deep.py").write_text("def layout(row, build):\n    return 1\n")
    (package / "other.py").touch()
    invalidate_caches()
    yield lambda name: import_module(name).layout
    for name in ("helper_of_rows", "rows_of_mine", "package_of_rows", "package_of_rows.deep"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("rows_of_mine", "rows_of_mine.py"),
        ("rows_of_mine", "helper_of_rows.py"),
        ("package_of_rows.deep", "package_of_rows/other.py"),
    ],
)
def test_a_plug_in_that_changes_is_another_one(plugin, tmp_path, name, file):
    definitions = [*OWN, plugin(name)]
    before = code_parts(definitions)
    assert before["plugins"] and before == code_parts(definitions)
    assert code_parts(OWN) == {**before, "plugins": {}}
    with (tmp_path / file).open("a") as opened:
        opened.write("# changed\n")
    assert code_parts(definitions) != before


def test_code_without_a_file_is_unknown():
    def layout(row, build):
        return None

    layout.__module__ = "typed_in"
    assert code_parts([*OWN, layout]) is None


def test_the_programs_code_counts(monkeypatch, tmp_path):
    before = code_parts(OWN)
    module._program.cache_clear()
    monkeypatch.setattr(module, "ROOMS", ("data", "chat"))
    assert code_parts(OWN) != before
    module._program.cache_clear()


def test_settings_of_a_tokenizer_count_and_its_folder_does_not(tokenizer):
    other = tokenizer.__class__.from_pretrained(tokenizer.name_or_path)
    before = chat_parts(Chat(other))
    other.name_or_path = other.init_kwargs["name_or_path"] = "/elsewhere"
    assert chat_parts(Chat(other)) == before == chat_parts(Chat(tokenizer))
    other.init_kwargs["add_prefix_space"] = True
    assert chat_parts(Chat(other)) != before
