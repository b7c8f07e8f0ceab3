"""Confine a worker before it sees any untrusted code: namespaces, user, Landlock, seccomp.

Each mechanism that is asked for and fails raises `Unavailable`; the pool then starts the worker
anew without it, so that no worker is ever half confined.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeVar

from uniapl_cli.sandbox.inside import kernel, landlock
from uniapl_cli.sandbox.inside.seccomp import REFUSED, Filters, filters, keyrings

T = TypeVar("T")

NOBODY = 65534
JAIL, SCRATCH = "/jail", "/scratch"
# What can be made of System V's and POSIX's shared memory, semaphores and queues in a namespace.
IPC_LIMITS = {
    "kernel/shmmni": "0",
    "kernel/msgmni": "0",
    "kernel/sem": "250 32000 32 0",
    "fs/mqueue/queues_max": "0",
}
IPC = "no shared memory or queues"
DEVICES = ("/dev/null", "/dev/urandom")
LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo")
SPACES = (
    kernel.CLONE_NEWNS
    | kernel.CLONE_NEWPID
    | kernel.CLONE_NEWNET
    | kernel.CLONE_NEWIPC
    | kernel.CLONE_NEWUTS
)


class Unavailable(Exception):
    """The kernel does not allow a mechanism, the first argument, for a reason, the second."""


def confine(mechanisms: Collection[str], file_mb: int) -> tuple[dict[str, str], Filters | None]:
    """Confine this process; return each mechanism that is on with a line on it, and the filters.

    The working directory becomes the scratch folder. With namespaces, the process must fork once
    more, for its child to be the first process of its own.
    """
    report = {}
    # First, as it forks: the first fork in a new process namespace is to be the worker.
    refusals = _attempt("seccomp", filters) if "seccomp" in mechanisms else None
    readable, writable = _readable(), []
    if "namespaces" in mechanisms:
        report["namespaces"] = _attempt(
            "namespaces", _enter, readable, file_mb, refusals is not None
        )
        writable = [SCRATCH]
    devices = [path for path in DEVICES if Path(path).exists()]
    rules = None
    if "landlock" in mechanisms:
        allowed = [path for path in readable if Path(path).exists()]
        inside = [*allowed, str(Path.cwd())]
        rules = _attempt("landlock", landlock.ruleset, inside, [*writable, *devices])
    # Of a mount namespace, root's right to read opens other folders too, unless seccomp is there.
    report["user"] = _become_nobody("namespaces" not in report or refusals is not None)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    if rules is not None:
        _attempt("landlock", landlock.restrict, rules)
        report["landlock"] = f"on: version {landlock.abi()}"
    if refusals:
        refusals.worker.install()
        report["seccomp"] = f"on: {len(REFUSED)} system calls refused"
    return report, refusals


def needs_filter(report: dict[str, str]) -> bool:
    """Whether each call must put on its own filter, which costs it a fifth of its time.

    Else RLIMIT_NPROC keeps it from new processes, and the process namespace from other ones.
    """
    return "seccomp" in report and not ("namespaces" in report and os.getuid() == NOBODY)


def protections(report: dict[str, str]) -> list[str]:
    """Return the protections that the mechanisms in a report give, by name.

    Landlock alone leaves modes, owners and times of files to change: seccomp refuses that.
    """
    namespaces, filtered = "namespaces" in report, "seccomp" in report
    enforced = {
        "files": namespaces or (filtered and "landlock" in report),
        "network": namespaces or filtered,
        "processes": filtered or os.getuid() != 0,
        "signals": namespaces or filtered,
        "ipc": filtered or f"({IPC})" in report.get("namespaces", ""),
    }
    return [name for name, on in enforced.items() if on]


def _attempt(name: str, do: Callable[..., T], *args: object) -> T:
    try:
        return do(*args)
    except OSError as error:
        raise Unavailable(name, error.strerror or str(error)) from None


def _readable() -> list[str]:
    """List the folders of Python and the system's libraries, none of them within another."""
    paths = [*sys.path, f"{sys.base_prefix}/lib", *LIBRARIES]
    wanted = {str(Path(path).absolute()) for path in paths}
    kept: list[str] = []
    for path in sorted(path for path in wanted if Path(path).exists() and path != "/"):
        if not any(path.startswith(f"{folder}/") for folder in kept):
            kept.append(path)
    return kept


def _enter(readable: list[str], file_mb: int, filtered: bool) -> str:
    """Enter new namespaces, with nothing but `readable` and an empty scratch folder to be seen."""
    user = ""
    if os.getuid() == 0:
        try:
            kernel.unshare(SPACES)
        except PermissionError:
            _set_user()
            kernel.prctl(kernel.PR_SET_DUMPABLE, 1)  # or /proc/self would still be root's
    if os.getuid() != 0:
        outside, group = os.getuid(), os.getgid()
        kernel.unshare(SPACES | kernel.CLONE_NEWUSER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{NOBODY} {outside} 1")
        Path("/proc/self/gid_map").write_text(f"{NOBODY} {group} 1")
        user = "user, "
    ipc = IPC if _close_ipc() else "shared memory and queues outlive a call"
    ipc += ", but keyrings" if not filtered and keyrings() else ""
    _rebuild(str(Path.cwd()), readable, file_mb)
    return f"on: {user}mount, process, network, ipc ({ipc}), uts"


def _close_ipc() -> bool:
    """Let nothing be made in the new ipc namespace, where a next call would find it."""
    try:
        for name, limit in IPC_LIMITS.items():
            if (path := Path("/proc/sys", name)).exists():
                path.write_text(limit)
    except OSError:  # /proc/sys is read-only in many containers
        return False
    return Path("/proc/sys/kernel/shmmni").exists()


def _rebuild(root: str, readable: list[str], file_mb: int) -> None:
    kernel.mount("", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    safe = kernel.MS_NOSUID | kernel.MS_NODEV
    kernel.mount("tmpfs", root, "tmpfs", safe, "size=1m,mode=0755")
    jail = root + JAIL
    Path(jail).mkdir()
    for path in [*readable, *(path for path in DEVICES if Path(path).exists())]:
        _bind(path, jail + path)
    Path(jail + SCRATCH).mkdir()
    size = f"size={file_mb}m,nr_inodes=256,mode=0700,uid={NOBODY},gid={NOBODY}"
    kernel.mount("tmpfs", jail + SCRATCH, "tmpfs", safe | kernel.MS_NOEXEC, size)
    kernel.mount("", root, flags=safe | kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY)
    kernel.pivot_root(root)
    os.chroot(JAIL)  # from within, no user namespace can be made
    os.chdir(SCRATCH)


def _bind(path: str, target: str) -> None:
    """Show `path` at `target`, read-only. A flag that it has already may be locked, so it stays."""
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    if not Path(path).is_dir():
        Path(target).touch()
        kernel.mount(path, target, flags=kernel.MS_BIND)
        return
    Path(target).mkdir(exist_ok=True)
    kernel.mount(path, target, flags=kernel.MS_BIND | kernel.MS_REC)
    kept = os.statvfs(target).f_flag & kernel.MS_NOEXEC
    flags = kernel.MS_RDONLY | kernel.MS_NOSUID | kernel.MS_NODEV | kept
    kernel.mount("", target, flags=kernel.MS_BIND | kernel.MS_REMOUNT | flags)


def _become_nobody(may_read_all: bool) -> str:
    """Give up root, and the capabilities that a user namespace gave.

    Where Python lies in root's home, nobody could not read its library: there, with `may_read_all`,
    root's right to read files is kept, and no other.
    """
    was = os.getuid()
    if was == 0:
        kernel.prctl(kernel.PR_SET_KEEPCAPS, 1)
        try:
            _set_user()
        except OSError as error:
            kernel.keep_capabilities()
            return f"off: still root, {error.strerror}"
    if os.getuid() != NOBODY:
        kernel.keep_capabilities()
        return f"off: the user's own, {was}"
    readable = _reads_library()
    kept = was == 0 and may_read_all and not readable
    kernel.keep_capabilities(kernel.CAP_DAC_READ_SEARCH if kept else 0)
    if kept:
        return "on: nobody, with root's right to read"
    return "on: nobody" if readable else "on: nobody, who cannot read Python's library"


def _reads_library() -> bool:
    """Whether this user, who has no effective capabilities, can read all that Python imports."""
    try:
        for path in (path for path in sys.path if path):
            if Path(path).is_dir():
                next(Path(path).iterdir(), None)
        Path(os.__file__).open("rb").close()
    except OSError:
        return False
    return True


def _set_user() -> None:
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
