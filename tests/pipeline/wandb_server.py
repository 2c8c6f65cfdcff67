"""What W&B's server answers to its own client, on loopback: sweeps, agents, runs, saved views.

The client is unmodified, and the runs of a sweep are enumerated by W&B's own engine (``sweeps``).
Only what `wandb sweep`, `wandb agent`, online runs, `wandb sync` and saved views ask for is here;
anything else is answered with an error, which the client survives or the test notices.
"""

import gzip
import json
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import sweeps
import yaml

ENTITY = "lab"
KEY = "k" * 40  # of nobody
OPERATION = re.compile(r"(?:query|mutation)\s+(\w+)")


@dataclass
class Run:
    """A run as the server knows it: what began it, and what streamed in."""

    about: dict
    summary: dict = field(default_factory=dict)
    history: list[dict] = field(default_factory=list)
    exit_code: int | None = None


@dataclass
class Sweep:
    """A sweep: its document and the runs that were given to agents, by id."""

    document: dict
    runs: dict[str, sweeps.SweepRun] = field(default_factory=dict)
    agents: dict[str, str] = field(default_factory=dict)  # run -> agent that it was given to
    state: str = "PENDING"


class WandbServer(ThreadingHTTPServer):
    """The server; what came in is in its attributes."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock = threading.Lock()
        self.runs: dict[str, Run] = {}
        self.sweeps: dict[str, Sweep] = {}
        self.agents: dict[str, str] = {}
        self.views: list[dict] = []

    @property
    def environment(self) -> dict[str, str]:
        """What sends a client here."""
        url = f"http://127.0.0.1:{self.server_address[1]}"
        return {"WANDB_BASE_URL": url, "WANDB_API_KEY": KEY, "WANDB_ENTITY": ENTITY}

    def answer(self, operation: str, given: dict) -> dict:
        """What the server says to an operation; KeyError: it does not know it."""
        answers = {
            "Viewer": lambda given: {"viewer": _viewer()},
            "ServerInfo": lambda given: {"serverInfo": None},
            "ServerFeaturesQuery": lambda given: {"serverInfo": {"features": []}},
            "UpsertSweep": self._upsert_sweep,
            "SweepWithRuns": self._sweep,
            "GetSweepState": lambda given: {"project": {"sweep": self._state(given["sweep"])}},
            "CreateAgent": self._create_agent,
            "Heartbeat": self._heartbeat,
            "RunResumeStatus": self._resume_status,
            "UpsertBucket": self._upsert_run,
            "CreateRunFiles": self._create_files,
            "UpsertView2": self._upsert_view,
        }
        with self.lock:
            return answers[operation](given)

    def stream(self, run_id: str, body: dict) -> None:
        """Take what a run streams: summary, history, the end."""
        with self.lock:
            run = self.runs[run_id]
            files = body.get("files") or {}
            for line in files.get("wandb-summary.json", {}).get("content", []):
                run.summary = json.loads(line)
            for line in files.get("wandb-history.jsonl", {}).get("content", []):
                run.history.append(json.loads(line))
            if body.get("complete"):
                run.exit_code = body.get("exitcode")

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is no error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(*_)

    def _upsert_sweep(self, given: dict) -> dict:
        name = given.get("id") or f"sweep{len(self.sweeps)}"
        self.sweeps.setdefault(name, Sweep(yaml.safe_load(given["config"])))
        violations = sweeps.config.schema_violations_from_proposed_config(
            self.sweeps[name].document
        )
        sweep = {"name": name, "project": _project(given.get("projectName"))}
        return {"upsertSweep": {"sweep": sweep, "configValidationWarnings": violations}}

    def _sweep(self, given: dict) -> dict:
        sweep = self.sweeps[given["sweep"]]
        nothing = dict.fromkeys(("description", "createdAt", "heartbeatAt", "updatedAt"))
        nothing |= dict.fromkeys(("bestLoss", "controller", "scheduler"))
        about = {"config": yaml.safe_dump(sweep.document), "method": sweep.document["method"]}
        about |= {"runs": {"edges": []}, "earlyStopJobRunning": False}
        return {"project": {"sweep": nothing | about | self._state(given["sweep"])}}

    def _state(self, name: str) -> dict:
        return {"id": name, "name": name, "state": self.sweeps[name].state}

    def _create_agent(self, given: dict) -> dict:
        name = f"agent{len(self.agents)}"
        self.agents[name] = given["sweep"]
        return {"createAgent": {"agent": {"id": name}}}

    def _heartbeat(self, given: dict) -> dict:
        """An agent tells which of its runs live; one that has none gets the next, or the end."""
        agent = given["id"]
        sweep = self.sweeps[self.agents[agent]]
        living = {name for name, lives in json.loads(given["runState"]).items() if lives}
        for name, run in sweep.runs.items():
            if sweep.agents[name] == agent and name not in living:
                run.state = sweeps.RunState.finished
        commands = [] if living else [self._next(sweep, agent)]
        return {
            "agentHeartbeat": {"agent": {"id": agent}, "commands": json.dumps(commands)},
        }

    def _next(self, sweep: Sweep, agent: str) -> dict:
        run = sweeps.next_run(sweep.document, list(sweep.runs.values()))
        if run is None:
            sweep.state = "FINISHED"
            return {"type": "exit"}
        name = f"run{len(sweep.runs)}"
        run.state = sweeps.RunState.running
        sweep.runs[name], sweep.agents[name], sweep.state = run, agent, "RUNNING"
        program = sweep.document["program"]
        return {"type": "run", "run_id": name, "args": run.config, "program": program, "logs": []}

    def _resume_status(self, given: dict) -> dict:
        """Where a run that is begun again goes on; nothing if it is new."""
        run = self.runs.get(given["name"])
        if run is None:
            return {"model": None}
        tail = json.dumps([json.dumps(row) for row in run.history[-1:]])
        counts = {"historyLineCount": len(run.history), "eventsLineCount": 0, "logLineCount": 0}
        bucket = counts | {
            "id": given["name"],
            "name": given["name"],
            "historyTail": tail,
            "eventsTail": "[]",
            "summaryMetrics": json.dumps(run.summary),
            "config": run.about.get("config") or "{}",
            "tags": run.about.get("tags") or [],
            "wandbConfig": '{"t": 1}',
        }
        return {"model": {"id": "p", "name": "p", "entity": {"id": "e"}, "bucket": bucket}}

    def _upsert_run(self, given: dict) -> dict:
        name = given["name"]
        known = self.runs.get(name)
        if known is None:
            self.runs[name] = Run(given)
        else:
            known.about |= {key: value for key, value in given.items() if value}
            known.exit_code = None
        bucket = {
            "id": name,
            "name": name,
            "displayName": given.get("displayName") or name,
            "description": None,
            "config": given.get("config") or "{}",
            "sweepName": given.get("sweep"),
            "project": _project(given.get("project")),
            "historyLineCount": len(self.runs[name].history),
        }
        return {"upsertBucket": {"bucket": bucket, "inserted": known is None}}

    def _create_files(self, given: dict) -> dict:
        base = self.environment["WANDB_BASE_URL"]
        files = [{"name": name, "uploadUrl": f"{base}/upload/{name}"} for name in given["files"]]
        return {"createRunFiles": {"runID": given["run"], "uploadHeaders": [], "files": files}}

    def _upsert_view(self, given: dict) -> dict:
        self.views.append(json.loads(given["spec"]))
        view = {key: given.get(key) for key in ("type", "displayName", "spec", "description")}
        project = {"id": "p", "name": given.get("projectName"), "entityName": ENTITY}
        view |= {"id": "v", "name": "nw-view-v", "project": project, "updatedAt": "2026-01-01"}
        return {"upsertView": {"view": view, "inserted": True}}


@contextmanager
def wandb_server() -> Iterator[WandbServer]:
    """A server that answers for as long as the block lasts."""
    server = WandbServer()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: WandbServer

    def do_POST(self) -> None:
        body = self._body()
        if self.path.startswith("/graphql"):
            self._graphql(json.loads(body))
        elif self.path.endswith("/file_stream"):
            self.server.stream(self.path.split("/")[-2], json.loads(body))
            self._reply({})
        else:
            self._reply({})

    def do_PUT(self) -> None:
        self._body()
        self._reply({})

    def do_GET(self) -> None:
        self._reply({})

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def _graphql(self, asked: dict) -> None:
        operation = (OPERATION.search(asked["query"]) or ["", "unnamed"])[1]
        try:
            data = self.server.answer(operation, asked.get("variables") or {})
        except KeyError as error:
            self._reply({"errors": [{"message": f"{operation}: no {error} here"}]})
        else:
            self._reply({"data": data})

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        return gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body

    def _reply(self, content: dict) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _viewer() -> dict:
    empty: dict = {"edges": []}
    names = dict.fromkeys(("entity", "username", "name"), ENTITY)
    return names | {
        "id": "u",
        "email": "",
        "flags": "{}",
        "admin": False,
        "teams": empty,
        "apiKeys": empty,
    }


def _project(name: str | None) -> dict:
    return {"id": "p", "name": name or "isplit", "entity": {"id": "e", "name": ENTITY}}
