"""The shape of the house: who imports whom, how long things get, and no code from outside."""

import ast
import statistics
import subprocess
import sys
import time
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "uniapl_cli").rglob("*.py"))
TREES = {str(path.relative_to(ROOT)): ast.parse(path.read_text("utf-8")) for path in FILES}

FILE_LINES, FUNCTION_LINES = 260, 50
HELP_SECONDS = 0.5
HEAVY = {"torch", "transformers", "tokenizers", "numpy", "nltk", "datasets", "omegaconf"}
SERIALISERS = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}


def calls(tree: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def test_the_package_was_found():
    assert len(FILES) > 90


def test_no_folder_of_tests_is_left_out(request):
    """pytest's own list of folders not to look into has `build` on it."""
    skipped = request.config.getini("norecursedirs")
    folders = {path.parent.name for path in (ROOT / "tests").rglob("test_*.py")}
    assert "build" in folders
    assert not [name for name in folders for pattern in skipped if fnmatch(name, pattern)]


def test_the_import_contracts_hold():
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout
    assert "Contracts: 2 kept, 0 broken." in result.stdout


def test_help_imports_nothing_heavy():
    code = (
        "import sys, contextlib\nfrom uniapl_cli.cli.app import main\nsys.argv = ['uniapl', '-h']\n"
        "with contextlib.suppress(SystemExit): main()\n"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(result.stderr.split())
    assert "uniapl_cli" in loaded and "Usage: uniapl" in result.stdout
    assert loaded & HEAVY == set()


def test_help_is_quick():
    code = "from uniapl_cli.cli.app import main; main()"
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, check=True)
        seconds.append(time.perf_counter() - began)
    assert statistics.median(seconds) < HELP_SECONDS, seconds


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_long(path):
    assert len(path.read_text("utf-8").splitlines()) <= FILE_LINES


def test_no_function_is_long():
    long = {
        f"{name}:{node.name}": node.end_lineno - node.lineno + 1
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.end_lineno - node.lineno + 1 > FUNCTION_LINES
    }
    assert long == {}


def test_no_text_becomes_code_outside_the_sandbox():
    found = [
        f"{name}:{call.lineno}"
        for name, tree in TREES.items()
        if not name.startswith("uniapl_cli/sandbox/inside/")
        for call in calls(tree)
        if isinstance(call.func, ast.Name) and call.func.id in ("eval", "exec", "__import__")
    ]
    assert found == []


def test_no_serialised_objects_are_read():
    imports = [
        (name, module.partition(".")[0])
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for module in (
            [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module]
        )
        if module
    ]
    assert [(name, module) for name, module in imports if module in SERIALISERS] == []


def test_torch_loads_weights_only():
    loads = [
        (name, call)
        for name, tree in TREES.items()
        for call in calls(tree)
        if ast.unparse(call.func) == "torch.load"
    ]
    for name, call in loads:
        given = {k.arg: ast.unparse(k.value) for k in call.keywords}
        assert given.get("weights_only") == "True", f"{name}:{call.lineno}"


def test_no_model_runs_code_of_its_own():
    trusted = [
        f"{name}:{call.lineno}"
        for name, tree in TREES.items()
        for call in calls(tree)
        for keyword in call.keywords
        if keyword.arg == "trust_remote_code" and ast.unparse(keyword.value) != "False"
    ]
    assert trusted == []


def test_everything_loaded_says_that_it_trusts_no_code():
    silent = [
        f"{name}:{call.lineno}"
        for name, tree in TREES.items()
        for call in calls(tree)
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "from_pretrained"
        and "trust_remote_code" not in {keyword.arg for keyword in call.keywords}
    ]
    assert silent == []


def test_no_shell_runs_text():
    shells = [
        f"{name}:{call.lineno}"
        for name, tree in TREES.items()
        for call in calls(tree)
        if ast.unparse(call.func) in ("os.system", "os.popen")
        or any(k.arg == "shell" and ast.unparse(k.value) != "False" for k in call.keywords)
    ]
    assert shells == []
