"""The native engine among processes and threads: forked, spawned, and called by several at once."""

import socket
import subprocess
import sys
import threading

import pytest
import torch

from elman.cells import GRU, MinGRU, PeepholeLSTM
from elman.engine import use
from elman.testing.case import Case, Size, outcome
from elman_runtime import native

pytestmark = pytest.mark.skipif(
    not native.available, reason="elman-runtime was installed without its compiled module"
)


def run_script(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, so that a deadlock ends."""
    command = [sys.executable, "-W", "error", "-c", script, *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return ran


FORK = """
import os, signal, torch, elman

torch.set_num_threads(2)
layer, x = elman.nn.Recurrent(elman.cells.GRU, 1, 5), torch.randn(13, 20, 1)

def everything():
    y = layer(x)[0]
    return [y, *torch.autograd.grad(y.square().sum(), list(layer.parameters()))]

with elman.engine.use("native"):
    before = everything()
    child = os.fork()
    if not child:
        signal.alarm(60)
        # torch's own products deadlock in a child on the OpenMP threads of its parent.
        torch.set_num_threads(1)
        torch.get_num_threads = lambda: 2
        # With other threads, torch may add up its own products in another order.
        same = all(map(torch.allclose, everything(), before))
        os._exit(0 if same else 1)
    assert all(map(torch.equal, everything(), before))
    _, status = os.waitpid(child, 0)
    assert status == 0, status
    assert all(map(torch.equal, everything(), before))
print("equal")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork on Windows")
def test_fork_after_use() -> None:
    assert run_script(FORK).stdout == "equal\n"


def test_several_threads_at_once() -> None:
    cases = [Case(cell, Size(13, 9, 3, 17), torch.float32) for cell in (GRU, MinGRU, PeepholeLSTM)]
    layers = [case.layer() for case in cases]
    arguments = [case.arguments(layer) for case, layer in zip(cases, layers, strict=True)]
    torch.set_num_threads(2)
    try:
        with use("native"):
            expected = [outcome(*pair) for pair in zip(layers, arguments, strict=True)]
        wrong: list[str] = []
        start = threading.Barrier(len(cases))

        def call(k: int) -> None:
            start.wait()
            torch.set_num_threads(2)
            for _ in range(10):
                with use("native"):
                    found = outcome(layers[k], arguments[k])
                wrong.extend(n for n, v in found.items() if not torch.equal(v, expected[k][n]))

        threads = [threading.Thread(target=call, args=(k,)) for k in range(len(cases))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        torch.set_num_threads(1)
    assert wrong == []


DENORMALS = """
import torch, elman

torch.set_num_threads(2)
torch.ones(1 << 20).exp()  # makes the threads, before ours could set how they compute
layer = elman.nn.Recurrent(elman.cells.RNN, 128, 128, bias=False)
with torch.no_grad(), elman.engine.use("native"):
    layer.weight_ih_l0.fill_(1)
    print(layer(torch.full((8, 100, 128), 1e-39))[0].count_nonzero().item())
"""


def test_numbers_too_small_to_matter_are_zero_on_every_thread() -> None:
    assert run_script(DENORMALS).stdout == "0\n"


RANK = """
import sys, torch, elman
import torch.distributed as dist

rank, store = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
torch.manual_seed(0)
layer, rows = elman.nn.Recurrent(elman.cells.PeepholeLSTM, 2, 5, layers=2), torch.randn(6, 4, 2)
wrapped = torch.nn.parallel.DistributedDataParallel(layer)
with elman.engine.use("native"):
    for _ in range(2):
        layer.zero_grad()
        wrapped(rows[rank::2])[0].square().sum().div(3).backward()
with elman.engine.use("reference"):
    expected = torch.autograd.grad(layer(rows)[0].square().sum().div(6), list(layer.parameters()))
for parameter, gradient in zip(layer.parameters(), expected):
    torch.testing.assert_close(parameter.grad, gradient)
dist.destroy_process_group()
print("equal")
"""


def sockets() -> bool:
    try:
        with socket.create_server(("127.0.0.1", 0)):
            return torch.distributed.is_available()
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="gloo is told to use the interface `lo`")
@pytest.mark.skipif(not sockets(), reason="this process may not open a socket")
def test_distributed_data_parallel(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    command = [sys.executable, "-c", RANK]
    ranks = [
        subprocess.Popen(
            [*command, str(rank), str(tmp_path / "store")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        for rank in ranks:
            out, err = rank.communicate(timeout=120)
            assert (rank.returncode, out) == (0, "equal\n"), err
    finally:
        for rank in ranks:
            rank.kill()


ONCE = """
import torch, elman
with elman.engine.use("native"):
    elman.nn.Recurrent(elman.cells.GRU, 1, 5)(torch.randn(2, 3, 1))
"""


def test_nothing_is_said_at_exit() -> None:
    assert run_script(ONCE).stderr == ""
