"""Free memory is that of the machine or of the control group, whichever is less."""

from pathlib import Path

import torch

from uniapl_cli import memory

CPU = torch.device("cpu")


def test_it_is_some_and_not_more_than_there_is():
    assert 2**20 < memory.free_bytes(CPU) < 2**50


def test_a_control_groups_limit_counts_and_files_it_has_read_do_not(monkeypatch):
    folder = "/sys/fs/cgroup/memory"
    files = {f"{folder}.max": "5000\n", f"{folder}.current": "4000\n"}
    files[f"{folder}.stat"] = "anon 1500\ninactive_file 2000\nactive_file 500\n"
    read = Path.read_text
    monkeypatch.setattr(Path, "read_text", lambda path, *a: files.get(str(path)) or read(path, *a))
    assert memory.free_bytes(CPU) == 3000
    files[f"{folder}.max"] = "max\n"
    assert memory.free_bytes(CPU) > 2**20


def test_what_a_process_had_at_its_peak_is_not_spare(monkeypatch):
    status = "Name:\tpython\nVmHWM:\t    5000 kB\nVmRSS:\t    2000 kB\nThreads:\t1\n"
    read = Path.read_text
    files = {"/proc/self/status": status}
    monkeypatch.setattr(Path, "read_text", lambda path, *a: files.get(str(path)) or read(path, *a))
    monkeypatch.setattr(memory, "free_bytes", lambda device: 2**30)
    assert memory.spare_bytes() == 2**30 - 3000 * 1024


def test_without_linux_files_half_the_machine_is_free(monkeypatch):
    def missing(path, *_):
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_text", missing)
    assert memory.spare_bytes() == memory.free_bytes(CPU)
    assert 2**20 < memory.free_bytes(CPU) < 2**50
