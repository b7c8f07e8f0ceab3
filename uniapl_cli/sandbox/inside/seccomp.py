"""A seccomp filter: system calls that a function over text has no use for fail with EPERM.

It lists what is refused, not what is allowed: new processes and threads, signals to others and
looking into them, sockets, new namespaces and mounts, changing owners, modes and times of files,
memory that outlives the process, and the kernel's large interfaces (bpf, io_uring, perf).
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Collection
from dataclasses import dataclass

from uniapl_cli.sandbox.inside import kernel

OF_CALLS = ("fork", "vfork", "clone", "clone3", "kill", "tkill", "tgkill", "prctl")
"""What a worker itself does for its calls: refused to them by the filter that each puts on."""
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# fmt: off
REFUSED = {  # numbers on x86_64 and aarch64; 0 where the machine lacks the call
    "fork": (57, 0), "vfork": (58, 0), "clone": (56, 220), "clone3": (435, 435),
    "prctl": (157, 167),
    "execve": (59, 221), "execveat": (322, 281),
    "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424), "pidfd_getfd": (438, 438),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "process_mrelease": (448, 448), "kcmp": (312, 272),
    "setpriority": (141, 140), "ioprio_set": (251, 30),
    "sched_setparam": (142, 118), "sched_setscheduler": (144, 119),
    "sched_setaffinity": (203, 122), "sched_setattr": (314, 274),
    "migrate_pages": (256, 238), "move_pages": (279, 239),
    "socket": (41, 198),
    "unshare": (272, 97), "setns": (308, 268), "chroot": (161, 51), "pivot_root": (155, 41),
    "mount": (165, 40), "umount2": (166, 39), "mount_setattr": (442, 442),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "chmod": (90, 0), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, 0), "lchown": (94, 0), "fchown": (93, 55), "fchownat": (260, 54),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "setxattrat": (463, 463),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    "removexattrat": (466, 466),
    "utime": (132, 0), "utimes": (235, 0), "futimesat": (261, 0), "utimensat": (280, 88),
    "memfd_create": (319, 279), "memfd_secret": (447, 447),
    "shmget": (29, 194), "semget": (64, 190), "msgget": (68, 186), "mq_open": (240, 180),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "init_module": (175, 105), "finit_module": (313, 273), "kexec_load": (246, 104),
}
# fmt: on
LIMIT_OF_ANOTHER = {"x86_64": 302, "aarch64": 261}  # prlimit64, refused for any process but oneself
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
ALLOW, FAIL, KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
X32 = 0x40000000  # x86_64's second table of calls


def keyrings() -> bool:
    """Whether the kernel keeps keys for a user, which only a filter keeps from calls."""
    machine, own_session, get_id = platform.machine(), -3, 0
    if machine not in ARCHITECTURES:
        return True
    number = REFUSED["keyctl"][list(ARCHITECTURES).index(machine)]
    try:
        kernel.syscall("keyctl", number, get_id, own_session, 0)
    except OSError as error:
        return error.errno not in (errno.ENOSYS, errno.EPERM)
    return True


class Filter:
    """A filter for this machine, built once and installed by many processes."""

    def __init__(self, names: Collection[str]) -> None:
        machine = platform.machine()
        if machine not in ARCHITECTURES:
            raise OSError(errno.ENOSYS, f"no table of system calls for {machine}")
        column = list(ARCHITECTURES).index(machine)
        refused = sorted({REFUSED[name][column] for name in names} - {0})
        code = _program(ARCHITECTURES[machine], refused, LIMIT_OF_ANOTHER[machine])
        self._code = ctypes.create_string_buffer(b"".join(code))
        self._program = struct.pack("@HP", len(code), ctypes.addressof(self._code))

    def install(self) -> None:
        """Put this process under the filter, for good; needs no_new_privs."""
        kernel.prctl(kernel.PR_SET_SECCOMP, 2, self._program)


@dataclass(frozen=True)
class Filters:
    """One for the worker, and with it all calls; one that each call puts on besides."""

    worker: Filter
    call: Filter


def filters() -> Filters:
    """Make both filters, and try them in a child that ends at once. Raises OSError."""
    pair = Filters(Filter(set(REFUSED) - set(OF_CALLS)), Filter(OF_CALLS))
    child = os.fork()
    if child == 0:
        try:
            kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
            pair.worker.install()
            pair.call.install()
            os._exit(0)
        finally:
            os._exit(1)
    if os.waitpid(child, 0)[1]:
        raise OSError(errno.ENOSYS, "the kernel takes no filter")
    return pair


def _program(architecture: int, refused: list[int], limit: int) -> list[bytes]:
    """Write the filter: each instruction is (code, jump if true, jump if false, value)."""
    count = len(refused)
    tests = [(EQUAL, count - index + 3, 0, number) for index, number in enumerate(refused)]
    lines = [
        (LOAD, 0, 0, 4),
        (EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, 0),
        (AT_LEAST, count + 4, 0, X32),
        *tests,
        (EQUAL, 0, 2, limit),
        (LOAD, 0, 0, 16),  # the first argument, whose limit it is
        (EQUAL, 0, 1, 0),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, FAIL),
    ]
    return [struct.pack("=HBBI", *line) for line in lines]
