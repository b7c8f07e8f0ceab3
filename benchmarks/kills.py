"""Kills verbs at random moments, fills their disk, and compares what comes of it in the end.

Each verb runs once undisturbed. Then it is killed (SIGKILL) at a random moment and repeated until
it is done, and run on a small disk (tmpfs) that is full at a random byte, and has room at the
repetition. Every file must be the undisturbed run's, to the byte, and nothing half-written be left.
The verbs "... checkpoints" train a larger model, so that a checkpoint is being written most of the
time: `in_a_write` counts the kills that left one half-written, and `lost_steps` says how many steps
the worst of the kills cost.

    python benchmarks/kills.py --kills 10 --full 5
    python benchmarks/kills.py --kills 20 --full 0 --verb "train sft, checkpoints" --out FILE
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}

TRAIN = (
    "run.save_every=1 run.sample_every=1 training.steps=10 training.max_idle_updates=0 "
    "optim.lr=0.003 sources.demonstrations.rows_per_step=4 sources.rollouts.prompts_per_step=2 "
    "sources.rollouts.num_generations=4 sampling.max_new_tokens=16 data.demonstrations=../in.jsonl "
    "data.prompts=../in.jsonl run.dir=run"
)
TEACH = "teacher-gen teach.prompts=../in.jsonl teach.out=out.jsonl teach.samples=2 "
VERBS = {
    "teacher-gen": TEACH + "teacher.path=tiny:teacher teach.sampling.max_new_tokens=24 "
    "generation.batch_tokens=2000",
    "teacher-gen, a server": TEACH + "teacher.server.model=fake teacher.server.concurrency=4 "
    "teacher.server.url=http://127.0.0.1:PORT/v1",
    "score": "score score.input=../in.jsonl score.reference=response score.output=response "
    "discriminator.path=tiny:polar score.out=scored.jsonl score.chunk=8",
    "filter-gt": "filter-gt filter.responses=../in.jsonl filter.out=kept.jsonl "
    "filter.rejected=rejected.jsonl filter.pairs=pairs.jsonl",
    "eval": "eval eval.model=tiny:teacher eval.benchmarks.ifeval.data=../in.jsonl eval.out=out "
    "run.threads=1 eval.draws.greedy.sampling.max_new_tokens=24 eval.draws.drawn.samples=2 "
    "eval.draws.drawn.sampling.max_new_tokens=24",
    "train sft": f"train sft --config tiny:sft {TRAIN}",
    "train grpo": f"train grpo --config tiny:grpo {TRAIN}",
    "train sft, checkpoints": f"train sft --config tiny:sft {TRAIN} model.path=../large",
    "train grpo, checkpoints": f"train grpo --config tiny:grpo {TRAIN} model.path=../large "
    "sampling.max_new_tokens=8 sources.rollouts.prompts_per_step=1",
    "analyse": "analyse lengths analyse.data=../in.jsonl analyse.models.base=tiny:base "
    "analyse.out=out run.threads=1 analyse.sampling.max_new_tokens=24",
}
# A folder of the sizes in the verbs' "../large": 11 million weights, checkpoints of 130 MB.
LARGE = {"hidden": 384, "layers": 6}
# Of a run these say when and how long.
TIMED = ("environment.json", ".lock")
COST = ("seconds/", "tokens_per_second", "memory_gib")


class Answers(BaseHTTPRequestHandler):
    """A server whose answers are made of the question alone."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        text = hashlib.sha256(body).hexdigest() * 4
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 9, "completion_tokens": 40}
        time.sleep(0.01)
        reply = json.dumps({"choices": [choice], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that were killed."""


@contextmanager
def server() -> Iterator[int]:
    """Serve while the block runs; the value is the port."""
    served = Server(("127.0.0.1", 0), Answers)
    pid = os.fork()
    if not pid:
        served.serve_forever()
    try:
        yield served.server_port
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def start(command: str, folder: Path) -> int:
    """Start the program in a process that has imported it already; return its id."""
    pid = os.fork()
    if pid:
        return pid
    os.setsid()
    os.chdir(folder)
    talk = os.open(folder.parent / "talk.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for descriptor in (1, 2):
        os.dup2(talk, descriptor)
    code = 1
    try:
        from uniapl_cli.cli.app import app

        code = app(command.split(), standalone_mode=False) or 0
    except BaseException as error:  # noqa: BLE001  told, and this process ends
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        sys.stdout.flush()
        os._exit(code)


def ended(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def content(folder: Path) -> Mapping[str, bytes | list]:
    """Every file of a finished command by its name, without what says how long things took."""
    files = [p for p in folder.rglob("*") if p.is_file() and p.name not in TIMED]
    found: dict[str, bytes | list] = {}
    for path in files:
        name = str(path.relative_to(folder))
        if "checkpoints" in path.relative_to(folder).parts:
            continue
        found[name] = path.read_bytes()
        if path.name == "metrics.jsonl":
            rows = map(json.loads, path.read_text().splitlines())
            found[name] = [{k: v for k, v in r.items() if not k.startswith(COST)} for r in rows]
        elif path.name == "eval.json":
            found[name] = [line for line in path.read_text().split("\n") if '"seconds"' not in line]
            found[name] = found[name][: found[name].index(' "inputs": {')]
        elif path.parent.name == "answers":  # as they came, which depends on those that came before
            found[name] = sorted(path.read_text().splitlines())
    return found


def differing(folder: Path, whole: Mapping[str, bytes | list]) -> list[str]:
    mine = content(folder)
    return sorted(n for n in {*mine, *whole} if mine.get(n) != whole.get(n))


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


@dataclass
class Kills:
    """What came of the kills of a verb; `wrong` is empty where all ended as undisturbed."""

    kills: int = 0
    ends: int = 0
    in_a_write: int = 0
    lost_steps: int = 0
    wrong: str = ""

    def look(self, run: Path) -> None:
        """Look at the run that a kill left."""
        self.in_a_write += any(run.glob("checkpoints/.*.tmp"))
        if (run / "metrics.jsonl").exists():
            logged = (run / "metrics.jsonl").read_bytes().count(b"\n")
            saved = [int(path.name[5:]) for path in run.glob("checkpoints/step-*")]
            self.lost_steps = max(self.lost_steps, logged - max(saved, default=0))

    def __str__(self) -> str:
        if self.wrong:
            return f"WRONG after {self.kills} kills: {self.wrong}"
        return f"{self.kills} kills, {self.ends} ends, all as undisturbed"


def kill(command: str, folder: Path, seconds: float, kills: int, rng: random.Random) -> Kills:
    """Kill a command so often, each time at a random moment; as a folder is done, begin another."""
    whole, found = content(folder / "whole"), Kills()
    work = fresh(folder / "work")
    while found.kills < kills or found.ends == 0:
        pid = start(command, work)
        if found.kills < kills:
            time.sleep(rng.uniform(0, seconds))
            os.kill(pid, signal.SIGKILL)
        code = ended(pid)
        if code == -signal.SIGKILL:
            found.kills += 1
            found.look(work / "run")
            continue
        if code or (wrong := differing(work, whole)):
            found.wrong = talk(folder) if code else str(wrong)
            break
        found.ends, work = found.ends + 1, fresh(folder / "work")
    return found


def talk(folder: Path) -> str:
    return (folder / "talk.txt").read_text()[-400:]


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(command: str, folder: Path, times: int, rng: random.Random) -> str:
    """Run a command on a disk that is full at a random byte, then with room, so many times."""
    whole, full = content(folder / "whole"), 0
    needed = sum(p.stat().st_size for p in (folder / "whole").rglob("*") if p.is_file())
    for _ in range(times * 4):
        if full == times:
            break
        with small_disk(fresh(folder / "work"), 2 * needed + 2**20):
            work, filler = folder / "work", folder / "work" / "filler"
            room = rng.randrange(4096, needed)
            filler.write_bytes(bytes(max(0, shutil.disk_usage(work).free - room)))
            code = ended(start(command, work))
            filler.unlink()
            if code not in (0, 2) or "Traceback" in talk(folder):
                return f"WRONG exit code {code}: {talk(folder)}"
            if code and (left := [str(p) for p in work.rglob(".*.tmp")]):
                return f"WRONG: left {left}"
            full += code == 2
            if code and (code := ended(start(command, work))):
                return f"WRONG at the repetition, exit code {code}: {talk(folder)}"
            if wrong := differing(work, whole):
                return f"WRONG after {full} full disks: {wrong}"
    return f"{full} full disks, all as undisturbed"


def rows(path: Path) -> None:
    """Write prompts with two answers each: the oracle's, and one that ignores instructions."""
    from uniapl_cli.tiny.assets import resolve
    from uniapl_cli.tiny.oracle import demonstrations

    prompts = [json.loads(line) for line in Path(resolve("tiny:train")).read_text().splitlines()]
    good, poor = demonstrations(prompts[:80], 1), demonstrations(prompts[:80], 2, ignore=0.9)
    both = [{**row, "key": str(n)} for n, row in enumerate([*good, *poor])]
    path.write_text("".join(json.dumps(row) + "\n" for row in both))


def large(folder: Path) -> None:
    """Write a model whose checkpoints take a while."""
    from uniapl_cli.loading import load_tokenizer
    from uniapl_cli.tiny.assets import resolve
    from uniapl_cli.tiny.models import new_model

    tokenizer = load_tokenizer(resolve("tiny:base"))
    new_model(tokenizer, **LARGE, seed=0).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def can_mount() -> bool:
    """Whether this process can mount; as another user than root, in a namespace of its own."""
    if os.geteuid():
        command = ["unshare", "-rm", sys.executable, *sys.argv]
        if subprocess.run(["unshare", "-rm", "true"], check=False).returncode == 0:
            os.execvp(command[0], command)
    with tempfile.TemporaryDirectory() as folder:
        mount = ["mount", "-t", "tmpfs", "tmpfs", folder]
        if subprocess.run(mount, check=False, capture_output=True).returncode:
            return False
        subprocess.run(["umount", folder], check=True)
    return True


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10, help="of each verb")
    parser.add_argument("--full", type=int, default=5, help="full disks of each verb")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--verb", action="append", choices=VERBS, help="only these")
    parser.add_argument("--out", type=Path, help="file for the results")
    return parser.parse_args()


def main() -> None:
    options = parse()
    mounts = options.full > 0 and can_mount()
    import torch  # noqa: F401  once, before the processes are forked

    import uniapl_cli.commands.train  # noqa: F401

    verbs: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as name, server() as port:
        rows(Path(name) / "in.jsonl")
        large(Path(name) / "large")
        for verb in options.verb or VERBS:
            folder, rng = Path(name), random.Random(f"{options.seed} {verb}")
            command = VERBS[verb].replace("PORT", str(port))
            began = time.monotonic()
            if code := ended(start(command, fresh(folder / "whole"))):
                raise SystemExit(f"{verb}: exit code {code}: {talk(folder)}")
            seconds = time.monotonic() - began
            found = kill(command, folder, seconds, options.kills, rng)
            disks = "no full disks: nothing can be mounted here" if options.full else ""
            if mounts:
                disks = fill(command, folder, options.full, rng)
            said = "; ".join(filter(None, [str(found), disks]))
            print(f"{verb} ({seconds:.1f} s): {said}", flush=True)
            verbs[verb] = {"seconds": round(seconds, 1), **asdict(found), "full disks": disks}
    if options.out:
        sys.path[0] = str(Path(__file__).parents[1])
        from benchmarks.engines.machine import machine

        command = shlex.join(["python", "benchmarks/kills.py", *sys.argv[1:]])
        result = {"command": command, "machine": machine(), "verbs": verbs}
        options.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    wrong = any(v["wrong"] or "WRONG" in v["full disks"] for v in verbs.values())
    raise SystemExit(int(wrong))


if __name__ == "__main__":
    main()
