"""The real thing: the shipped teacher behind `transformers serve`, faults on the way, a kill."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from socket import socket

import pytest
from fault_proxy import FAULTS, FaultProxy

from uniapl_cli.files import read_rows
from uniapl_cli.tiny.assets import resolve

MISSING = [name for name in ("openai", "fastapi", "uvicorn", "accelerate") if not find_spec(name)]
PROMPTS, SAMPLES = 60, 2

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"`transformers serve` needs {', '.join(MISSING)}"),
]


@contextmanager
def transformers_serve(log: Path):
    """Yield the address of a `transformers serve` that has come up; no hub, one thread."""
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve"]
    command += ["--device", "cpu", "--host", "127.0.0.1", "--port", str(port)]
    quiet = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with (
        log.open("w") as file,
        subprocess.Popen(command, stdout=file, stderr=file, env=quiet) as it,
    ):
        try:
            _wait(f"http://127.0.0.1:{port}/health", it, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            it.kill()


def _wait(url, process, log):
    give_up = time.monotonic() + 180
    while time.monotonic() < give_up:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"`transformers serve` did not come up: {log.read_text()}")


def teacher_gen(prompts: Path, out: Path, *overrides: str) -> list[str]:
    """Return the command that asks the shipped teacher for its likeliest answers."""
    common = [sys.executable, "-m", "uniapl_cli", "teacher-gen", "--json"]
    common += [f"teach.prompts={prompts}", f"teach.out={out}", f"teach.samples={SAMPLES}"]
    common += ["teacher.path=tiny:teacher", "run.device=cpu", "run.threads=1"]
    return [
        *common,
        "teach.sampling.temperature=0",
        "teach.sampling.max_new_tokens=48",
        *overrides,
    ]


def test_every_row_is_there_once_after_faults_and_a_kill(tmp_path):
    prompts, out, local = (tmp_path / f"{name}.jsonl" for name in ("prompts", "out", "local"))
    lines = Path(resolve("tiny:train")).read_text().splitlines()[:PROMPTS]
    prompts.write_text("\n".join(lines) + "\n")
    environment = {**os.environ, "OPENAI_API_KEY": "sk-never-written"}
    with (
        transformers_serve(tmp_path / "serve.log") as upstream,
        FaultProxy(upstream, 0.3, slow=12.0) as proxy,
    ):
        server = {"url": proxy.url, "dialect": "transformers", "timeout": 8, "concurrency": 8}
        command = teacher_gen(
            prompts, out, *(f"teacher.server.{name}={value}" for name, value in server.items())
        )
        with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as first:
            while not out.exists() or len(out.read_text().splitlines()) < PROMPTS * SAMPLES // 3:
                assert first.poll() is None
                time.sleep(0.05)
            first.kill()
        kept = out.read_text().count("\n")
        second = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert second.returncode == 0, second.stderr
    counts = json.loads(second.stdout)
    print("killed at", kept, "rows;", proxy.passed, "requests passed, spoilt:", proxy.faults)
    print(counts, second.stderr, sep="\n")
    written = [row.values for row in read_rows(out)]
    keys = [json.loads(line)["key"] for line in lines]
    assert [(r["key"], r["sample"]) for r in written] == [
        (key, sample) for key in keys for sample in range(SAMPLES)
    ]
    assert 0 < counts["kept from before"] <= kept < PROMPTS * SAMPLES == counts["rows"]
    assert set(proxy.faults) == set(FAULTS)
    assert proxy.faults.total() > 0.2 * (proxy.passed + proxy.faults.total())
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and "sk-never" in p.read_text()]
    # The teacher in this process says the same to each prompt, but for the odd near-tie.
    subprocess.run(teacher_gen(prompts, local), capture_output=True, check=True)
    pairs = zip(written, (row.values for row in read_rows(local)), strict=True)
    same = Counter(ours == theirs for ours, theirs in pairs)
    assert same[True] >= 0.95 * len(written), same
