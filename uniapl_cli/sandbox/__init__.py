"""Runs code that nobody has read: AutoIF's verification functions, and programs.

    with Sandbox(Limits(seconds=2), workers=4) as box:
        outcomes = autoif(box, sources, response)

A pool of worker processes stays; each forks one process a call, which is killed after it, with all
that it started. `capabilities()` returns what this kernel enforces; where one of the five
protections is missing, `Sandbox` refuses to start unless `require` leaves it out.

What is covered:

- Time on the clock and of the processor, memory, output and size of files: see `Limits`. A call
  beyond a limit is an error with its reason.
- files: no file of the user's can be read, written, or have its mode or owner changed. Visible are
  only Python's library and the system's, read-only, and an empty working directory. By a mount
  namespace, or by Landlock and seccomp; then the directory cannot be written to either.
- network: no sockets. By a network namespace, by seccomp.
- processes: no new processes and no threads. By RLIMIT_NPROC as another user than root, by seccomp.
- signals: none to another process, nor a look into its memory. By a process namespace, by seccomp.
- ipc: no shared memory, semaphores, queues or keys that another call could find. By seccomp; by an
  ipc namespace in which none can be made, where the kernel has no keyrings.
- No environment, no open files but stdin, stdout and stderr, and the pipe of the verdict.
- Nothing of a call is left for the next one: each has an interpreter of its own, forked anew, with
  the same seeds of `random` and `hash`, so verdicts are reproducible.
- A verdict comes from the type and value of what was returned, exactly; no method of it is called.
  Exiting, printing, patching `builtins` and writing to the pipe give an error, or change nothing.

What is not covered:

- A program can forge its own verdict, though never another call's, if it searches the frames of its
  interpreter for what the verdict is signed with. For AutoIF's functions that gains nothing: they
  decide anyway. Scores of programs that were trained against their own tests are not to be trusted.
- Holes in the kernel. This is no virtual machine, and seccomp refuses a list of calls, rather than
  all but a list.
- With Landlock alone, without namespaces: that a file exists, and how large it is, can be seen.
- The load on the machine: each worker may use a core and its memory to the limit, call after call.
- Sharing the machine's caches and clocks: side channels.
- Packages are not importable unless `packages` names their folders, which are then readable.
- Where only root can read Python's library, and there are no namespaces, calls keep root's right to
  read files (and no other): Landlock says which.
"""

from uniapl_cli.sandbox.autoif import autoif, autoif_many
from uniapl_cli.sandbox.call import (
    MECHANISMS,
    PROTECTIONS,
    Call,
    Capabilities,
    Limits,
    Outcome,
    Program,
    SandboxError,
    SandboxOptions,
)
from uniapl_cli.sandbox.inside.child import as_verdict
from uniapl_cli.sandbox.packages import package_folders
from uniapl_cli.sandbox.pool import Sandbox, capabilities

__all__ = [
    "MECHANISMS",
    "PROTECTIONS",
    "Call",
    "Capabilities",
    "Limits",
    "Outcome",
    "Program",
    "Sandbox",
    "SandboxError",
    "SandboxOptions",
    "as_verdict",
    "autoif",
    "autoif_many",
    "capabilities",
    "package_folders",
]
