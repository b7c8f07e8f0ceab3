"""The shape of the house: how long things get, what help imports, and no code from outside.

Who may import whom, and which calls are dangerous, lint-imports and ruff say (`make check`).
"""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
TREES = {
    str(path.relative_to(ROOT)): ast.parse(path.read_text("utf-8"))
    for path in sorted((ROOT / "uniapl_cli").rglob("*.py"))
}

FILE_LINES, FUNCTION_LINES = 260, 50
HEAVY = {"torch", "transformers", "tokenizers", "numpy", "nltk", "datasets", "omegaconf"}
HEAVY |= {"matplotlib"}


def test_no_file_is_long():
    lines = {name: len((ROOT / name).read_text("utf-8").splitlines()) for name in TREES}
    assert lines
    assert {name: count for name, count in lines.items() if count > FILE_LINES} == {}


def test_no_function_is_long():
    lines = {
        f"{name}:{node.name}": node.end_lineno - node.lineno + 1
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    assert {name: count for name, count in lines.items() if count > FUNCTION_LINES} == {}


def test_no_two_files_of_tests_have_one_name():
    """pytest would import the first of them for both."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(set(names)) == sorted(names)


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


def test_whatever_is_loaded_says_that_it_trusts_no_code():
    """Each call of from_pretrained has trust_remote_code=False, and nothing else has another."""
    wrong = []
    for name, tree in TREES.items():
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            keywords = {k.arg: ast.unparse(k.value) for k in call.keywords}
            loads = isinstance(call.func, ast.Attribute) and call.func.attr == "from_pretrained"
            if keywords.get("trust_remote_code", None if loads else "False") != "False":
                wrong.append(f"{name}:{call.lineno}")
    assert wrong == []


# Of torch's distributed checkpoint, what unpickles; the rest reads safetensors.
UNPICKLE = {"FileSystemReader", "FsspecReader", "dcp_to_torch_save", "load_bytes", "Unpickler"}


def test_nothing_that_is_read_is_unpickled_but_for_tensors():
    """Each torch.load takes weights alone, and nothing else reads what torch has pickled.

    What reads the pickles of Python, ruff forbids.
    """
    wrong, loads = [], 0
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            words = {getattr(node, field, None) for field in ("id", "attr", "name")}
            module = node.module if isinstance(node, ast.ImportFrom) else None
            if words & UNPICKLE or module == "torch.distributed.checkpoint.state_dict_loader":
                wrong.append(f"{name}:{node.lineno}")
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                loads += 1
                if "True" not in {
                    ast.unparse(k.value) for k in node.keywords if k.arg == "weights_only"
                }:
                    wrong.append(f"{name}:{node.lineno}")
    assert loads and wrong == []
