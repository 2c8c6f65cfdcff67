"""The other end of a measurement: it swallows, sends and echoes what it is asked to.

One line opens a TCP connection: ``up`` (the peer reads to the end and answers its rate in bit/s)
or ``down SECONDS`` (it sends for so long). A UDP packet comes back as its first 8 bytes, so that
nobody can make it send more than they do.
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
SILENCE_S = 10.0
ECHOED_BYTES = 8
MARK_S = 0.001  # of what arrived: no more marks than so, however small the parts are


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


def received_rate(connection: socket.socket) -> float:
    """Payload in bit/s over the second half of what arrives until the other side closes."""
    marks = [(time.monotonic(), 0)]
    while part := connection.recv(len(CHUNK)):
        mark = time.monotonic(), marks[-1][1] + len(part)
        if mark[0] - marks[0][0] > LONGEST_S + SILENCE_S:
            raise ValueError("it has no end")
        if len(marks) > 1 and mark[0] - marks[-2][0] < MARK_S:
            marks.pop()
        marks.append(mark)
    middle_s = (marks[0][0] + marks[-1][0]) / 2
    begin_s, begin_bytes = next(mark for mark in marks if mark[0] >= middle_s)
    seconds = marks[-1][0] - begin_s
    return (marks[-1][1] - begin_bytes) * 8 / seconds if seconds > 0 else 0.0


def send_for(connection: socket.socket, seconds: float) -> None:
    """Send as fast as the connection takes it, then close the way out."""
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        connection.sendall(CHUNK)
    connection.shutdown(socket.SHUT_WR)


class _Tcp(socketserver.ThreadingTCPServer):
    allow_reuse_address, request_queue_size = True, 64
    daemon_threads = True


class _Stream(socketserver.StreamRequestHandler):
    timeout, rbufsize = SILENCE_S, 0

    def handle(self) -> None:
        with contextlib.suppress(OSError, ValueError, IndexError):  # who asks wrongly gets nothing
            task, *seconds = self.rfile.readline(32).decode("ascii").split()
            if task == "up":
                self.request.sendall(f"{received_rate(self.request)}\n".encode())
            elif task == "down" and 0 < (wanted_s := float(seconds[0])) <= LONGEST_S:
                send_for(self.request, wanted_s)


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        packet, back = self.request
        back.sendto(packet[:ECHOED_BYTES], self.client_address)
