"""Real TCP over a link of any rate: two network namespaces, and this process as the wire between.

Needs root, /dev/net/tun and the ``ip`` command. Both ends are the kernel's own TCP; the wire gives
each direction a rate, a delay, a queue that drops what does not fit, and independent losses. How
late it ever was is reported with each measurement: a late wire measures this machine's load.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x1, 0x1000
CLONE_NEWNET = 0x40000000
CLIENT, SERVER, PORT = "198.18.0.1", "198.18.0.2", 5201
SPIN_S = 0.00008  # select wakes this much early; the rest is spun


@dataclass(frozen=True)
class Cell:
    """What is measured."""

    rate_bit_s: float
    rtt_s: float
    loss: float
    queue_bytes: float
    payload_bytes: int
    congestion_control: str = "cubic"


def first_line(process: subprocess.Popen[str]) -> str:
    """What a process with a pipe says first; empty where it ended."""
    assert process.stdout is not None
    return process.stdout.readline()


@dataclass
class Direction:
    """Packets from one device to the other."""

    source: int
    sink: int
    cell: Cell
    rng: random.Random
    free_s: float = 0.0
    late_s: float = 0.0
    under_way: deque[tuple[float, bytes]] = field(default_factory=deque)

    def pull(self) -> None:
        """Take what the sender has put out."""
        while True:
            try:
                packet = os.read(self.source, 65536)
            except BlockingIOError:
                return
            now_s = time.monotonic()
            queued = max(0.0, self.free_s - now_s) * self.cell.rate_bit_s / 8
            if queued + len(packet) > self.cell.queue_bytes + 1500:
                continue
            self.free_s = max(now_s, self.free_s) + len(packet) * 8 / self.cell.rate_bit_s
            if self.rng.random() >= self.cell.loss:
                self.under_way.append((self.free_s + self.cell.rtt_s / 2, packet))

    def push(self) -> None:
        """Hand over what is due."""
        now_s = time.monotonic()
        while self.under_way and self.under_way[0][0] <= now_s:
            due_s, packet = self.under_way.popleft()
            self.late_s = max(self.late_s, now_s - due_s)
            with contextlib.suppress(OSError):
                os.write(self.sink, packet)


def carry(cell: Cell, namespaces: tuple[str, str], seed: int) -> None:
    """Be the wire until SIGTERM; then print how late it was at worst."""
    client = _open_tun(namespaces[0], CLIENT, SERVER)
    server = _open_tun(namespaces[1], SERVER, CLIENT)
    rng = random.Random(seed)
    ways = [Direction(client, server, cell, rng), Direction(server, client, cell, rng)]
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
    print("ready", flush=True)
    while not stopped:
        for way in ways:
            way.push()
        due_s = min((w.under_way[0][0] for w in ways if w.under_way), default=None)
        wait_s = 0.5 if due_s is None else max(0.0, due_s - time.monotonic() - SPIN_S)
        readable, _, _ = select.select((client, server), (), (), wait_s)
        for way in ways:
            if way.source in readable:
                way.pull()
    print(json.dumps({"late_s": max(w.late_s for w in ways)}), flush=True)


def answer(cell: Cell) -> None:
    """Be the server: one byte back for every payload."""
    with socket.create_server((SERVER, PORT)) as listener:
        print("ready", flush=True)
        while True:
            connection, _ = listener.accept()
            with connection:
                _set_up(connection, cell)
                while _receive(connection, cell.payload_bytes):
                    connection.sendall(b"!")


def measure(cell: Cell, repeats: int, transfers: int, gap_s: float) -> None:
    """Be the client: print the seconds of payloads on each of ``repeats`` connections."""
    payload = bytes(cell.payload_bytes)
    for _ in range(repeats):
        with socket.socket() as connection:
            _set_up(connection, cell)
            began_s = time.monotonic()
            connection.connect((SERVER, PORT))
            row: dict[str, Any] = {
                "connect_s": time.monotonic() - began_s,
                "transfers_s": [],
                "retransmits": 0,
            }
            for number in range(transfers):
                time.sleep(gap_s if number else 0)
                began_s = time.monotonic()
                connection.sendall(payload)
                connection.recv(1)
                row["transfers_s"].append(time.monotonic() - began_s)
                if not number:
                    row["retransmits"] = _retransmits(connection)
        print(json.dumps(row), flush=True)


def transfers(
    cell: Cell, repeats: int, seed: int = 0, count: int = 2, gap_s: float = 0.0
) -> tuple[list[dict[str, Any]], float]:
    """The rows of ``measure``, and how late the wire was at worst."""
    if os.geteuid() or not Path("/dev/net/tun").exists():
        raise SystemExit("real transfers need root, /dev/net/tun and the ip command")
    with _namespaces() as names:
        wire = _start([], "carry", cell, [names[0], names[1], str(seed)])
        server = _start(["ip", "netns", "exec", names[1]], "answer", cell, [])
        client = [
            "ip",
            "netns",
            "exec",
            names[0],
            *_command("measure", cell),
            str(repeats),
            str(count),
            str(gap_s),
        ]
        try:
            text = subprocess.run(client, check=True, capture_output=True, text=True).stdout
        finally:
            server.kill()
            wire.send_signal(signal.SIGTERM)
            last = wire.communicate()[0]
            server.wait()
    return [json.loads(line) for line in text.splitlines()], json.loads(last)["late_s"]


@contextlib.contextmanager
def _namespaces() -> Iterator[tuple[str, str]]:
    names = f"isplit{os.getpid()}a", f"isplit{os.getpid()}b"
    try:
        for name in names:
            subprocess.run(["ip", "netns", "add", name], check=True)
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False)


def _open_tun(namespace: str, address: str, peer: str) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/var/run/netns/{namespace}", os.O_RDONLY)
    if libc.setns(there, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
    try:
        tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"t0", IFF_TUN | IFF_NO_PI))
    finally:
        libc.setns(home, CLONE_NEWNET)
        os.close(home)
        os.close(there)
    ip = ["ip", "-n", namespace]
    subprocess.run([*ip, "addr", "add", address, "peer", peer, "dev", "t0"], check=True)
    subprocess.run(
        [*ip, "link", "set", "t0", "mtu", "1500", "txqueuelen", "10000", "up"], check=True
    )
    remember = ["ip", "netns", "exec", namespace, "sysctl", "-qw", "net.ipv4.tcp_no_metrics_save=1"]
    subprocess.run(remember, check=True)
    return tun


def _set_up(connection: socket.socket, cell: Cell) -> None:
    control = cell.congestion_control.encode()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, control)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _receive(connection: socket.socket, size: int) -> bool:
    while size:
        part = connection.recv(min(size, 1 << 16))
        if not part:
            return False
        size -= len(part)
    return True


def _retransmits(connection: socket.socket) -> int:
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return int(struct.unpack_from("I", info, 100)[0])  # tcpi_total_retrans


def _command(task: str, cell: Cell) -> list[str]:
    return [sys.executable, str(Path(__file__).resolve()), task, json.dumps(asdict(cell))]


def _start(before: list[str], task: str, cell: Cell, more: list[str]) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [*before, *_command(task, cell), *more], stdout=subprocess.PIPE, text=True
    )
    if process.stdout is None or process.stdout.readline() != "ready\n":
        raise SystemExit(f"{task} did not start; root, /dev/net/tun and ip are needed")
    return process


if __name__ == "__main__":
    task, cell = sys.argv[1], Cell(**json.loads(sys.argv[2]))
    if task == "carry":
        os.nice(-15)
        carry(cell, (sys.argv[3], sys.argv[4]), int(sys.argv[5]))
    elif task == "answer":
        answer(cell)
    else:
        measure(cell, int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]))
