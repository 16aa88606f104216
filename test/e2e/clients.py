"""Sockets that a test drives one step at a time.

Each line of standard input is a JSON text with a piece of Python: an expression, or statements that leave their answer
in `result`. Each is answered by one line, {"result": …} or {"error": traceback}. Names live on from line to line.
Ends with its standard input.
"""

import errno
import json
import select
import socket
import struct
import sys
import threading
import time
import traceback

import servers

STREAM, DATAGRAM = socket.SOCK_STREAM, socket.SOCK_DGRAM
# Close by reset: no TIME_WAIT, so ports never run out.
RESET = struct.pack("ii", 1, 0)


def error_name(error):
    return errno.errorcode.get(error.errno or 0, type(error).__name__)


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def new_socket(address, kind, timeout=2):
    made = socket.socket(family(address), kind)
    made.settimeout(timeout)
    return made


def tcp(address, port):
    """The backend that answers one connection, or the name of the error."""
    with new_socket(address, STREAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        try:
            s.connect((address, port))
            return s.recv(200).decode().strip() or "closed"
        except OSError as error:
            return error_name(error)


def ask(s, to=None):
    """Sends a datagram and gives [backend, address, port] of the reply, or the name of the error."""
    try:
        s.sendto(b"q", to) if to else s.send(b"q")
        answer, source = s.recvfrom(200)
        return [answer.decode().strip(), source[0], source[1]]
    except OSError as error:
        return error_name(error)


def udp(address, port, connected=False):
    """The backend that answers a new socket's datagram, or the name of the error."""
    with new_socket(address, DATAGRAM) as s:
        try:
            if connected:
                s.connect((address, port))
        except OSError as error:
            return error_name(error)
        answer = ask(s, None if connected else (address, port))
        return answer if isinstance(answer, str) else answer[0]


def udp_connected(address, port):
    return udp(address, port, True)


def nonblocking(address, port):
    """What connect() of a TCP socket that does not block says at once."""
    with new_socket(address, STREAM) as s:
        s.setblocking(False)
        return errno.errorcode.get(s.connect_ex((address, port)), "ok")


def tally(attempt, count, *args):
    counts = {}
    for _ in range(count):
        answer = attempt(*args)
        counts[answer] = counts.get(answer, 0) + 1
    return counts


def timed(attempt, *args):
    started = time.monotonic()
    return [attempt(*args), time.monotonic() - started]


def serve(*words):
    """Servers in this process, so in its network namespace."""
    ready = threading.Event()
    threading.Thread(target=servers.serve, args=(words, ready.set), daemon=True).start()
    ready.wait()


def main():
    for line in sys.stdin:
        globals()["result"] = None
        try:
            code = json.loads(line)
            try:
                answer = {"result": eval(compile(code, "test", "eval"), globals())}
            except SyntaxError:
                exec(compile(code, "test", "exec"), globals())
                answer = {"result": globals()["result"]}
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), flush=True)


main()
