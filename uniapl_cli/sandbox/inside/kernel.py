"""The system calls that Python has no name for. Each raises OSError, naming itself."""

from __future__ import annotations

import ctypes
import os

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 1 << 12, 1 << 14, 1 << 18
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_KEEPCAPS = 1, 4, 8
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 22, 38
CAP_DAC_READ_SEARCH = 1 << 2

_libc = ctypes.CDLL(None, use_errno=True)


def syscall(name: str, number: int, *args: object) -> int:
    """Make a system call by its number."""
    return _checked(name, _libc.syscall(ctypes.c_long(number), *args))


def prctl(option: int, *args: object) -> None:
    """Set a property of this process."""
    filled = [*args, *(0,) * (4 - len(args))]
    longs = [ctypes.c_ulong(a) if isinstance(a, int) else a for a in filled]
    _checked(f"prctl {option}", _libc.prctl(option, *longs))


def unshare(flags: int) -> None:
    """Enter new namespaces."""
    _checked("unshare", _libc.unshare(flags))


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Mount, bind or remount."""
    texts = [text.encode() if text else None for text in (source, target, kind)]
    done = _libc.mount(*texts, ctypes.c_ulong(flags), data.encode() if data else None)
    _checked(f"mount {target}", done)


def pivot_root(folder: str) -> None:
    """Make `folder` the root, and leave nothing of the old one."""
    os.chdir(folder)
    _checked("pivot_root", _libc.pivot_root(b".", b"."))
    _checked("umount", _libc.umount2(b".", MNT_DETACH))
    os.chdir("/")


def keep_capabilities(kept: int = 0) -> None:
    """Give up all capabilities but `kept`, for good where no_new_privs is set too."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    # Effective, permitted and inheritable ones; then the same again, for those from 32 on.
    _checked("capset", _libc.capset(header, (ctypes.c_uint32 * 6)(kept, kept)))


def _checked(name: str, result: int) -> int:
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return result
