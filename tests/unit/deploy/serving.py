"""A server process, and what its clients send."""

import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import tritonclient.grpc as triton

ROOT = Path(__file__).parents[3]


class Server:
    """`isplit serve` in a process of its own."""

    def __init__(self, *words, port=0, entry=("-m", "isplit.deploy", "serve"), cwd=None, **more):
        command = [sys.executable, *entry, *map(str, words)]
        command += ["--port", str(port), "--rest-port", "0"]
        source = cwd or ROOT / "src"
        path = os.pathsep.join([os.fspath(source), os.environ.get("PYTHONPATH", "")])
        environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"} | more
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, env=environment, cwd=cwd, **pipes)
        line = self.process.stdout.readline()
        assert "gRPC at" in line, self.process.stderr.read()
        self.port, self.rest = (
            int(part.split(":")[1]) for part in line.split(": ", 1)[1].split(", ")
        )

    def client(self):
        return triton.InferenceServerClient(f"127.0.0.1:{self.port}")

    def http(self, path, body=None, **headers):
        request = urllib.request.Request(f"http://127.0.0.1:{self.rest}{path}", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def memory_bytes(self):
        fields = Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    def stop(self):
        self.process.kill()
        self.process.communicate()


def asked(payload, datatype="UINT8", name="payload"):
    given = triton.InferInput(name, [len(payload)], datatype)
    given.set_data_from_numpy(np.frombuffer(payload, np.uint8))
    return [given]
