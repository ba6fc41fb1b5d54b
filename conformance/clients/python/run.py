"""python-socketio against the fixture server: its sync and its asyncio client, by all ways to connect.

Usage: run.py DEFAULT_URL MSGPACK_URL PING_URL POLLS_URL: where the fixture listens with the profiles `default`, `msgpack`,
`short-ping` and `short-polls`. Runs with python-socketio 4 (Socket.IO protocol 4) and with 5 (protocol 5): whichever is installed.
Every case is written once: `Client` has one face for both kinds of clients.
"""

import asyncio
import importlib.metadata
import os
import queue
import sys
import threading
import time

import socketio

VERSION = importlib.metadata.version("python-socketio")
MAJOR = int(VERSION.split(".", maxsplit=1)[0])
# How long something may take that is waited for: it ends a case that hangs, and is no measure of speed.
PATIENCE = 10
WAYS = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": ["polling", "websocket"]}


class Client:
    """One client, whose events are put into queues, and whose methods wait."""

    loop = asyncio.new_event_loop()

    def __init__(self, kind, url, transports, **options):
        self.is_async = kind == "asyncio"
        make = socketio.AsyncClient if self.is_async else socketio.Client
        self.url, self.transports = url, transports
        self.queues = {}
        if self.is_async:
            async def create():
                return make(reconnection=False, **options)
            self.sio = self.run(create())
        else:
            self.sio = make(reconnection=False, **options)

    @classmethod
    def start_loop(cls):
        threading.Thread(target=cls.loop.run_forever, daemon=True).start()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE)

    def do(self, method, *args, **kwargs):
        result = getattr(self.sio, method)(*args, **kwargs)
        return self.run(result) if self.is_async else result

    def on(self, event, namespace="/", answer=None):
        """Collects an event; with an answer, each is acknowledged by that."""
        seen = self.queues[namespace, event] = queue.Queue()

        def handle(*args):
            seen.put(list(args))
            return answer

        async def handle_async(*args):
            return handle(*args)

        self.sio.on(event, handle_async if self.is_async else handle, namespace=namespace)

    def next(self, event, namespace="/"):
        return self.queues[namespace, event].get(timeout=PATIENCE)

    def connect(self, query="", namespaces=("/",), **options):
        self.on("disconnect")
        for namespace in namespaces:
            self.on("connect", namespace)
        self.do("connect", self.url + query, transports=self.transports, namespaces=list(namespaces), **options)
        if len(self.transports) == 2:
            until(lambda: transport(self) == "websocket", "the upgrade")
        for namespace in namespaces:
            self.next("connect", namespace)
        return self

    def close(self):
        try:
            self.do("disconnect")
        except Exception:  # pylint: disable=broad-except
            pass  # it had ended


def transport(client):
    name = client.sio.transport
    return name() if callable(name) else name


def until(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"never came: {what}")
        time.sleep(0.01)


def equal(got, expected):
    if got != expected:
        raise AssertionError(f"got {got!r}, expected {expected!r}")


def echo(client, namespace="/"):
    client.on("echo", namespace)
    values = [["text", 7, None, {"a": [1, "é"]}], [b"\x00\xff"], [{"b": b"\x01", "t": "x"}, b"\x02\x03"], ["x" * 100_000]]
    for value in values:
        client.do("emit", "echo", tuple(value), namespace=namespace)
        equal(client.next("echo", namespace), value)


def acknowledgements(client):
    equal(client.do("call", "echo-ack", ("a", 1)), ("a", 1))
    equal(client.do("call", "echo-ack", b"\x01\x02"), b"\x01\x02")
    client.on("question", answer=("yes", 42, b"\x03"))
    client.on("answer")
    client.do("emit", "ask", ("question", "really?"))
    equal(client.next("question"), ["really?"])
    equal(client.next("answer"), ["yes", 42, b"\x03"])


def burst(client):
    """More packets than its reader takes of one payload (16). Its handlers run in threads: in any order."""
    client.on("seq")
    client.do("emit", "emit-many", 50)
    equal(sorted(client.next("seq") for _ in range(50)), [[i] for i in range(50)])
    client.on("echo")
    for i in range(50):
        client.do("emit", "echo", i)
    equal(sorted(client.next("echo") for _ in range(50)), [[i] for i in range(50)])


def kicked(client):
    client.on("bye")
    client.do("emit", "kick-after-emit", True)
    equal(client.next("bye"), [1])
    client.next("disconnect")
    equal(client.sio.connected, False)


def leaving(client, **options):
    """The server hears of a client that leaves at once."""
    watcher = Client("sync", client.url, ["websocket"], **options)
    watcher.on("report", "/monitor")
    watcher.on("watching", "/monitor")
    watcher.connect(namespaces=["/monitor"])
    watcher.next("watching", "/monitor")
    client.do("disconnect")
    if MAJOR > 4:
        client.next("disconnect")
    reports = []
    while len(reports) < 2:
        report = watcher.next("report", "/monitor")[0]
        if report.get("label") == "leaving":
            reports.append(report)
    watcher.close()
    equal([r["ev"] for r in reports], ["disconnecting", "disconnect"])
    # Over a WebSocket its DISCONNECT races with its close, and version 4 of asyncio breaks off its poll.
    allowed = ["client namespace disconnect"]
    if "websocket" in client.transports:
        allowed.append("transport close")
    elif MAJOR == 4 and client.is_async:
        allowed.append("transport error")
    if reports[1]["reason"] not in allowed:
        raise AssertionError(f"reason {reports[1]['reason']!r}, expected one of {allowed}")


def namespaces(client):
    echo(client, "/chat")
    echo(client, "/mw-token")
    client.do("disconnect")


def heartbeat(client):
    """Several pings of 300 ms, and the connection is there still."""
    time.sleep(1.2)
    equal(client.do("call", "echo-ack", "there"), "there")


def on_root(case, profile="default"):
    def run(kind, urls, transports):
        client = Client(kind, urls[profile], transports).connect()
        try:
            case(client)
        finally:
            client.close()
    return run


def in_namespaces(kind, urls, transports):
    names = ["/chat", "/mw-token"]
    client = Client(kind, urls["default"], transports)
    if MAJOR == 4:
        client.connect("?token=secret", namespaces=names)
    else:
        client.connect(namespaces=names, auth={"token": "secret"})
    try:
        namespaces(client)
    finally:
        client.close()


def refused(kind, urls, transports):
    client = Client(kind, urls["default"], transports)
    client.on("connect_error", "/mw-deny")
    if MAJOR == 4:
        client.do("connect", client.url, transports=transports, namespaces=["/mw-deny"])
        equal(client.next("connect_error", "/mw-deny"), ["not allowed"])
        client.close()
        return
    try:
        client.do("connect", client.url, transports=transports, namespaces=["/mw-deny"])
    except socketio.exceptions.ConnectionError:
        equal(client.next("connect_error", "/mw-deny"), [{"message": "not allowed"}])
        client.close()
        return
    raise AssertionError("it was let in")


def leaves(kind, urls, transports):
    client = Client(kind, urls["default"], transports).connect("?label=leaving")
    leaving(client)


def msgpack(kind, urls, transports):
    client = Client(kind, urls["msgpack"], transports, serializer="msgpack").connect()
    echo(client)
    acknowledgements(client)
    kicked(client)


def leaves_with_msgpack(kind, urls, transports):
    """Its DISCONNECT has the data nil."""
    client = Client(kind, urls["msgpack"], transports, serializer="msgpack").connect("?label=leaving")
    leaving(client, serializer="msgpack")


CASES = {
    "echo": on_root(echo),
    "acknowledgements": on_root(acknowledgements),
    "a burst of 50": on_root(burst, "short-polls"),
    "disconnected by the server": on_root(kicked),
    "leaves": leaves,
    "namespaces": in_namespaces,
    "refused by middleware": refused,
    "heartbeats": on_root(heartbeat, "short-ping"),
}
if MAJOR > 4:
    CASES["msgpack"] = msgpack
    CASES["leaves with msgpack"] = leaves_with_msgpack

def main():
    urls = dict(zip(("default", "msgpack", "short-ping", "short-polls"), sys.argv[1:], strict=True))
    Client.start_loop()
    passed = failed = 0
    for kind in ("sync", "asyncio"):
        for way, transports in WAYS.items():
            for name, case in CASES.items():
                label = f"python-socketio {VERSION}/{name} [{kind} {way}]"
                try:
                    case(kind, urls, transports)
                    passed += 1
                    print(f"{label}: pass")
                except Exception as error:  # pylint: disable=broad-except
                    failed += 1
                    reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
                    print(f"{label}: fail ({reason})", flush=True)
    print(f"{passed} passed, {failed} failed", flush=True)
    # threads of clients that hang must not keep us
    os._exit(1 if failed else 0)


if __name__ == "__main__":
    main()
