"""Landlock (Linux 5.13 and later): what may be opened, without being root."""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable

from uniapl_cli.sandbox.inside import kernel

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same numbers on every machine
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
FILES = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
TCP = {4: 3}
SCOPES = {6: 3}  # abstract unix sockets, signals


def abi() -> int:
    """Return the version that the kernel speaks. Raises OSError where it speaks none."""
    return kernel.syscall("landlock", CREATE_RULESET, None, ctypes.c_size_t(0), 1)


def ruleset(readable: Iterable[str], writable: Iterable[str]) -> int:
    """Return a descriptor of rules: these paths and what is beneath; nothing else, and no TCP."""
    version = abi()
    files = _newest(FILES, version)
    words = [files, _newest(TCP, version), _newest(SCOPES, version)]
    words = words[: 3 if version >= 6 else 2 if version >= 4 else 1]
    packed = struct.pack(f"={len(words)}Q", *words)
    rules = kernel.syscall("landlock", CREATE_RULESET, packed, ctypes.c_size_t(len(packed)), 0)
    for path in readable:
        _allow(rules, path, EXECUTE | READ_FILE | READ_DIR)
    for path in writable:
        _allow(rules, path, files & ~EXECUTE)
    return rules


def restrict(rules: int) -> None:
    """Put this process and all it starts under the rules, for good; needs no_new_privs."""
    kernel.syscall("landlock", RESTRICT_SELF, rules, 0)
    os.close(rules)


def _allow(rules: int, path: str, access: int) -> None:
    beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    if not stat.S_ISDIR(os.fstat(beneath).st_mode):
        access &= WRITE_FILE | READ_FILE
    rule = struct.pack("=Qi", access, beneath)
    kernel.syscall("landlock", ADD_RULE, rules, 1, rule, 0)
    os.close(beneath)


def _newest(masks: dict[int, int], version: int) -> int:
    return next((masks[since] for since in sorted(masks, reverse=True) if since <= version), 0)
