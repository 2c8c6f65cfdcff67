"""The other end of a measurement: it swallows, sends and echoes what it is asked to.

One line opens a TCP connection: ``clock`` (the peer answers what its clock says), ``up BEGIN END``
(it answers how many bytes arrive between two times of its clock) or ``down BEGIN END`` (it sends
until then). A UDP packet comes back as its first 8 bytes, so that nobody can make it send more
than they do.
"""

import contextlib
import socket
import socketserver
import threading
import time
from collections.abc import Iterator

PORT = 5299
CHUNK = bytes(1 << 16)
LONGEST_S = 60.0
ECHOED_BYTES = 8
LAG_S = 1.0  # for which more is sent than is counted, as the other side ends it


@contextlib.contextmanager
def peer(host: str, port: int) -> Iterator[int]:
    """Answer measurements in threads while the block runs; the port (one of its own for 0)."""
    with (
        _Tcp((host, port), _Stream) as tcp,
        socketserver.UDPServer((host, tcp.server_address[1]), _Echo) as udp,
    ):
        for server in (tcp, udp):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield int(tcp.server_address[1])
        finally:
            tcp.shutdown()
            udp.shutdown()


def received_bytes(connection: socket.socket, begin_s: float, end_s: float) -> int:
    """What arrives between two times of the monotonic clock, or until the other side closes."""
    total = 0
    with contextlib.suppress(TimeoutError):
        while (left_s := end_s - time.monotonic()) > 0:
            connection.settimeout(left_s)
            if not (part := connection.recv(len(CHUNK))):
                break
            total += len(part) * (time.monotonic() >= begin_s)
    return total


def send_until(connection: socket.socket, end_s: float) -> None:
    """Send as fast as the connection takes it, up to a time of the monotonic clock."""
    with contextlib.suppress(TimeoutError):
        while (left_s := end_s - time.monotonic()) > 0:
            connection.settimeout(left_s)
            connection.send(CHUNK)


class _Tcp(socketserver.ThreadingTCPServer):
    allow_reuse_address, request_queue_size = True, 64
    daemon_threads = True


class _Stream(socketserver.StreamRequestHandler):
    timeout, rbufsize = LONGEST_S, 0

    def handle(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # who asks wrongly gets nothing
            task, *times = self.rfile.readline(80).decode("ascii").split()
            now_s = time.monotonic()
            begin_s, end_s = map(float, times or ("nan", "nan"))
            if task == "clock":
                self.request.sendall(f"{now_s}\n".encode())
            elif task == "up" and end_s <= now_s + LONGEST_S:
                self.request.sendall(f"{received_bytes(self.request, begin_s, end_s)}\n".encode())
                received_bytes(self.request, end_s, time.monotonic() + LONGEST_S)  # until it closes
            elif task == "down" and end_s <= now_s + LONGEST_S:
                send_until(self.request, end_s + LAG_S)


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        packet, back = self.request
        back.sendto(packet[:ECHOED_BYTES], self.client_address)
