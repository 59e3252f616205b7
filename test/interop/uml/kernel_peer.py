"""Runs inside user-mode Linux: Sockeye against the kernel's own SCTP, by Python's socket module.

Each check prints one line: "ok NAME" or "not ok NAME: reason". The last line is "done".

usage: kernel_peer.py BUN REPOSITORY
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time

IPPROTO_SCTP = 132
PASSWORD = "secret"
LOGIN = b"\x01\x04root\x06secret"
LIMIT_S = 20.0

BUN, ROOT = sys.argv[1:3]
STATE = tempfile.mkdtemp()
ENVIRONMENT = {**os.environ, "SOCKEYE_ADMIN_PASSWORD": PASSWORD, "SOCKEYE_STATE_DIR": STATE}
SOCKEYE = [BUN, "--no-env-file", "--no-install", f"{ROOT}/src/cli/main.ts"]


def check(name, action):
    try:
        action()
        print(f"ok {name}", flush=True)
    except Exception as fault:  # whatever it is, the other checks go on
        print(f"not ok {name}: {fault!r}", flush=True)


def expect(found, wanted):
    if found != wanted:
        raise AssertionError(f"found {found!r}, wanted {wanted!r}")


def connect(host="127.0.0.1", port=8080):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    peer = socket.socket(family, socket.SOCK_STREAM, IPPROTO_SCTP)
    peer.settimeout(LIMIT_S)
    peer.connect((host, port))
    return peer


@contextlib.contextmanager
def serving(*options):
    """`sockeye serve`, until the block ends; gives its ready line."""
    command = [*SOCKEYE, "serve", "--port", "0", "--admin", f"root:{PASSWORD}", *options]
    child = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    lines = []
    try:
        for line in child.stderr:
            lines.append(line)
            if '"ready: ' in line:
                break
        else:
            raise RuntimeError("".join(lines))
        ready = json.loads(lines[-1])
        ready["pid"] = child.pid
        drain = threading.Thread(target=child.stderr.read, daemon=True)
        drain.start()
        yield ready
    finally:
        child.terminate()
        expect(child.wait(LIMIT_S), 0)


def ctl(*arguments):
    command = [*SOCKEYE, "ctl", *arguments, "--user", "root"]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def associations():
    with open("/proc/net/sctp/assocs", encoding="ascii") as table:
        return len(table.readlines()) - 1


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def eventually(what, holds):
    end = time.monotonic() + LIMIT_S
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"it did not come to be that {what}")
        time.sleep(0.01)


def set_sysctl(name, value):
    with open(f"/proc/sys/net/sctp/{name}", "w", encoding="ascii") as file:
        file.write(str(value))


def conversation(host="127.0.0.1", request=b"\x01\x00", wanted=b"\x01\x010", port=8080):
    """One message a frame, one read a reply, as clients in the field do."""
    with connect(host, port) as peer:
        peer.send(LOGIN)
        expect(peer.recv(512), b"\x01\x00")
        peer.send(request)
        expect(peer.recv(512), wanted)
        expect(peer.recv(512), b"")


def pieces():
    with connect() as peer:
        for at in range(len(LOGIN)):
            peer.send(LOGIN[at : at + 1])
        expect(peer.recv(512), b"\x01\x00")
        for part in (b"\x03", b"\x01", b"\x04", b"40", b"96"):
            peer.send(part)
        expect(peer.recv(512), b"\x03\x044096")


def coalesced():
    """Login, request and a surplus in one message: both replies arrive, each as one message."""
    with connect() as peer:
        peer.send(LOGIN + b"\x01\x00" + b"x" * 4000)
        expect(peer.recv(512), b"\x01\x00")
        expect(peer.recv(512), b"\x01\x010")
        expect(peer.recv(512), b"")


def refusals():
    for sent, wanted in ((b"\x02", b"\x01\x02"), (b"\x01\x00", b"\x01\x01"), (LOGIN[:-1] + b"T", b"\x01\x01")):
        with connect() as peer:
            peer.send(sent)
            expect(peer.recv(512), wanted)
            expect(peer.recv(512), b"")
    with connect() as peer:
        peer.send(LOGIN)
        expect(peer.recv(512), b"\x01\x00")
        peer.send(b"\x04\x00")
        expect(peer.recv(512)[:1], b"\xff")


def abortive_clients():
    """Clients that abort at once, some before the server has accepted them, do it no harm."""
    for index in range(30):
        peer = connect()
        if index % 3:
            peer.send(LOGIN[: 1 + index % 7])
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        peer.close()
    conversation()


def no_leak(pid):
    """Nothing is left of associations that either side has closed first."""
    eventually("no association is left", lambda: associations() == 0)
    before = descriptors(pid)
    for _ in range(20):
        conversation()
        with connect() as peer:
            peer.send(LOGIN)
            expect(peer.recv(512), b"\x01\x00")
    eventually("no association is left", lambda: associations() == 0)
    eventually("no descriptor is left", lambda: descriptors(pid) <= before)


def served_by_the_kernel():
    with serving() as ready:
        check("auto is the kernel's SCTP", lambda: expect(ready.get("admin_transport"), "kernel"))
        check("the ready line has both loopbacks", lambda: expect(ready["admin"], ["127.0.0.1:8080", "[::1]:8080"]))
        check("a conversation over IPv4", conversation)
        check("a conversation over IPv6", lambda: conversation("::1"))
        check("a byte a message", pieces)
        check("everything in one message, and more", coalesced)
        check("refused logins and requests", refusals)
        check("clients that abort", abortive_clients)
        check("nothing leaks, whoever closes first", lambda: no_leak(ready["pid"]))
        check("ctl by the kernel's SCTP", lambda: expect(ctl("concurrent", "--transport", "kernel"), (0, "0\n", "")))
        check("ctl by auto", lambda: expect(ctl("buffer-size", "512"), (0, "512\n", "")))
        check("ctl over IPv6", lambda: expect(ctl("bytes", "--host", "::1"), (0, "0\n", "")))
        check("ctl refused", lambda: expect(ctl("buffer-size", "1")[0], 1))
        check(
            "ctl at a port where nobody is",
            lambda: expect(ctl("bytes", "--port", "8081", "--transport", "kernel")[::2][0], 4),
        )


def served_in_udp():
    """The kernel as a client that wraps its SCTP in UDP, against our own SCTP."""
    with serving("--admin-transport", "udp", "--admin-udp-port", "9900") as ready:
        check("the ready line says UDP", lambda: expect(ready.get("admin_transport"), "udp"))
        check("auto finds it in UDP", lambda: expect(ctl("concurrent", "--udp-port", "9900"), (0, "0\n", "")))
        # The kernel's own port for packets that come in, and the one where it looks for servers.
        set_sysctl("udp_port", 9899)
        set_sysctl("encap_port", 9900)
        try:
            check("kernel client in UDP: a conversation", conversation)
            check("kernel client in UDP: over IPv6", lambda: conversation("::1"))
            check("kernel client in UDP: everything in one message", coalesced)
            check("kernel client in UDP: a byte a message", pieces)
            check("kernel client in UDP: twenty in a row", lambda: [conversation() for _ in range(20)])
            check("kernel client in UDP: none left", lambda: eventually("none is left", lambda: associations() == 0))
        finally:
            set_sysctl("encap_port", 0)
            set_sysctl("udp_port", 0)


def play_server(listener):
    """An admin server of few words, for one client of ours."""
    peer, _ = listener.accept()
    with peer:
        peer.settimeout(LIMIT_S)
        expect(peer.recv(512), LOGIN)
        peer.send(b"\x01\x00")
        expect(peer.recv(512), b"\x02\x00")
        peer.send(b"\x02\x0242")
        expect(peer.recv(512), b"")


def answered(arguments):
    """`ctl bytes` with these arguments, answered by a kernel server."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_SCTP) as listener:
        listener.bind(("127.0.0.1", 8082))
        listener.listen(8)
        server = threading.Thread(target=play_server, args=(listener,), daemon=True)
        server.start()
        expect(ctl("bytes", "--port", "8082", *arguments), (0, "42\n", ""))
        server.join(LIMIT_S)
        # It reads the end of the association, too.
        expect(server.is_alive(), False)


def our_client():
    check("our client by the kernel's SCTP to a kernel server", lambda: answered(["--transport", "kernel"]))
    set_sysctl("udp_port", 9899)
    # Any port will do: sockets made from now on wrap what they send, and learn a peer's true port from its packets.
    set_sysctl("encap_port", 9)
    try:
        check("our client in UDP to a kernel server", lambda: answered(["--transport", "udp"]))
    finally:
        set_sysctl("encap_port", 0)
        set_sysctl("udp_port", 0)


served_by_the_kernel()
served_in_udp()
our_client()
print("done", flush=True)
