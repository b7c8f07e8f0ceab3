"""Attacks on what is the user's: files, processes, the network; and on the next call."""

import os
import platform
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

DENIED = ("PermissionError", "FileNotFoundError", "NotADirectoryError", "OSError: [Errno 30]")


@pytest.fixture
def folder(box):
    """A folder that any user may read and write, as far as its mode says."""
    if "files" not in box.capabilities.protections:
        pytest.skip("this kernel lets the sandbox protect no files")
    path = Path(tempfile.mkdtemp(prefix="uniapl-victim-"))
    path.chmod(0o777)
    (path / "secret").write_text("secret")
    (path / "secret").chmod(0o666)
    yield path
    assert [file.name for file in path.iterdir()] == ["secret"]
    assert (path / "secret").read_text() == "secret"
    assert (path / "secret").stat().st_mode & 0o777 == 0o666
    shutil.rmtree(path)


@pytest.mark.parametrize(
    "body",
    [
        "return open(PATH).read() == 'secret'",
        "open(PATH, 'w').write('mine'); return True",
        "open(PATH + '2', 'w').write('mine'); return True",
        "import os; os.remove(PATH); return True",
        "import os; os.rename(PATH, PATH + '2'); return True",
        "import os; os.chmod(PATH, 0); return True",
        "import os; os.link(PATH, 'mine'); return True",
        "import os; return os.listdir(os.path.dirname(PATH)) == ['secret']",
        "import os; os.chdir('/'); return 'secret' in open('.' + PATH).read()",
        "import os; os.symlink(PATH, 'mine'); return open('mine').read() == 'secret'",
    ],
)
def test_a_file_of_the_user_s(contained, folder, body):
    assert contained(body.replace("PATH", repr(str(folder / "secret")))).startswith(DENIED)


@pytest.mark.parametrize("path", ["/etc/passwd", "/proc/self/environ", "/proc/1/cmdline", __file__])
def test_other_files(contained, box, path):
    if "files" not in box.capabilities.protections:
        pytest.skip("this kernel lets the sandbox protect no files")
    assert contained(f"return len(open({path!r}, 'rb').read()) >= 0").startswith(DENIED)


def test_the_library_cannot_be_changed(contained):
    body = "import re; open(re.__file__, 'a').write('#'); return True"
    assert contained(body).startswith(DENIED)


@pytest.mark.parametrize("family", ["AF_INET", "AF_UNIX"])
def test_opening_a_socket(contained, box, family):
    if "network" not in box.capabilities.protections:
        pytest.skip("this kernel lets the sandbox protect no network")
    with socket.socket(getattr(socket, family)) as server:
        server.bind(("127.0.0.1", 0) if family == "AF_INET" else "\0uniapl-test")
        server.listen()
        server.settimeout(0)
        address = server.getsockname()
        body = f"import socket; s = socket.socket(socket.{family})\ns.connect({address!r})\n"
        assert contained(body + "return True").startswith(
            ("PermissionError", "OSError: [Errno 101]", "ConnectionRefusedError")
        )
        with pytest.raises(BlockingIOError):
            server.accept()


def test_exiting(contained):
    error = contained("import os; os._exit(0)")
    assert error == "ended its process with code 0 before a verdict"


def test_exiting_politely(contained):
    assert contained("import sys; sys.exit(0)") == "SystemExit: 0"


def test_crashing(contained):
    assert contained("import ctypes; return ctypes.string_at(0) == b''") == "crashed (SIGSEGV)"


def test_killing_the_parent(contained):
    body = """
import os, signal, time
for number in ('KILL', 'TERM', 'STOP', 'INT', 'HUP', 'XCPU'):
    os.kill(os.getppid(), getattr(signal, 'SIG' + number))
time.sleep(0.1)
raise KeyError('sent')
"""
    assert contained(body).startswith(("PermissionError", "KeyError"))


def test_killing_another_process(contained, box):
    if "signals" not in box.capabilities.protections:
        pytest.skip("this kernel lets the sandbox protect from no signals")
    with subprocess.Popen(["sleep", "60"], user=65534 if os.getuid() == 0 else None) as victim:
        body = f"import os; os.kill({victim.pid}, {int(signal.SIGKILL)}); return True"
        assert contained(body).startswith(("PermissionError", "ProcessLookupError"))
        assert victim.poll() is None
        victim.kill()


def test_killing_its_own_group(contained):
    error = contained("import os, signal; os.kill(0, signal.SIGKILL); return True")
    assert error.startswith(("PermissionError", "was killed before a verdict"))


def test_stopping_itself(contained):
    error = contained("import os, signal; os.kill(os.getpid(), signal.SIGSTOP); return True")
    assert error.startswith(("PermissionError", "ran longer than 1 s"))


def test_limiting_the_worker(judge):
    body = """
import os, resource
resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (3, 3))
return True
"""
    judge(body)  # it may well work, and end the worker
    assert [judge("return True").value, judge("return False").value] == [True, False]


def test_becoming_root(contained):
    error = contained("import os; os.setuid(0); return True")
    assert error.startswith(("PermissionError", "OSError: [Errno 22]"))


def test_raising_a_limit(contained):
    body = "import resource; resource.setrlimit(resource.RLIMIT_AS, (-1, -1)); return True"
    assert contained(body).startswith(("ValueError", "PermissionError"))


def test_nothing_is_inherited(judge):
    body = """
import os, sys
for fd in range(4, 64):
    try: os.fstat(fd)
    except OSError: continue
    raise ValueError(f'{fd} is open')
return not os.environ and sys.argv == [''] and not sys.stdin.read() and not os.listdir()
"""
    outcome = judge(body)
    assert outcome.value is True, outcome


def test_nothing_is_left_for_the_next_call(judge):
    leave = """
import builtins, os, re, random, sys
builtins.left = re.left = sys.left = 1
os.environ['left'] = '1'
sys.modules['left'] = re
random.seed(1)
try:
    os.makedirs('left/deeper')
    open('left/deeper/file', 'w').write('left')
    os.symlink('/', 'left/link')
except OSError: pass
return True
"""
    find = """
import builtins, os, re, sys
left = hasattr(builtins, 'left') or hasattr(re, 'left') or hasattr(sys, 'left')
return left or 'left' in os.environ or 'left' in sys.modules or bool(os.listdir())
"""
    assert judge(leave).value is True
    assert judge(find).value is False


def test_a_folder_that_cannot_be_emptied_goes_with_its_worker(judge):
    leave = """
import os
import platform
try:
    os.makedirs('left/deeper')
    os.umask(0)
    os.mkdir('left/locked', 0)
    open('left/deeper/file', 'w').close()
    os.rename('left/deeper', 'left/locked/x')
except OSError: pass
return True
"""
    assert judge(leave).value is True
    assert judge("import os; return not os.listdir()").value is True


def test_the_same_call_draws_the_same(judge):
    body = "import random; print(random.random(), list({'a', 'b', 'c', 'd', 'e'})); return True"
    assert judge(body).output == judge(body).output != ""


@pytest.mark.parametrize(
    "make",
    [
        "libc.shmget(4660, 1 << 20, 0o1666)",
        "libc.msgget(4660, 0o1666)",
        "libc.semget(4660, 1, 0o1666)",
        "libc.mq_open(b'/uniapl-test', 0o102, 0o600, None)",
    ],
)
def test_nothing_that_calls_share_is_made(box, judge, make):
    body = f"import ctypes\nlibc = ctypes.CDLL(None)\nreturn {make} < 0"
    assert judge(body).value is True


def test_a_key_that_is_left_is_told_as_a_missing_protection(box, judge):
    add = "syscall(248, b'user', b'uniapl-test', b'left', 4, -4)"  # to the user's own keyring
    left = judge(f"import ctypes\nreturn ctypes.CDLL(None).{add} >= 0")
    if platform.machine() == "x86_64":
        assert left.value is ("ipc" not in box.capabilities.protections)


def test_no_user_namespace_is_made(judge):
    body = "import ctypes\nreturn ctypes.CDLL(None).unshare(0x10000000) < 0"
    assert judge(body).value is True


def test_only_the_library_is_readable_where_roots_right_to_read_is_kept(contained, box, tmp_path):
    (tmp_path / "secret").write_text("secret")
    tmp_path.chmod(0)
    path = str(tmp_path / "secret")
    try:
        assert contained(f"return open({path!r}).read() == 'secret'").startswith(DENIED)
        assert contained(f"import os\nreturn os.truncate({path!r}, 0) is None").startswith(DENIED)
    finally:
        tmp_path.chmod(0o700)
