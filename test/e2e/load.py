"""Connects to ADDR PORT again and again, at most RATE times a second, until its standard input ends.

Each connection is a new socket; a connection counts when it is established. Prints "ready" once the first one is
made and one JSON object at the end: {"ok": n, "failed": {"ECONNREFUSED": n}}.
"""

import errno
import json
import select
import socket
import struct
import sys
import time

address, port, rate = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
reset = struct.pack("ii", 1, 0)
ok = 0
failed: dict[str, int] = {}
started = time.monotonic()
attempts = 0

while True:
    attempts += 1
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(5)
        # No TIME_WAIT: ports never run out.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        try:
            client.connect((address, port))
            ok += 1
        except OSError as error:
            name = errno.errorcode.get(error.errno or 0, type(error).__name__)
            failed[name] = failed.get(name, 0) + 1
    if attempts == 1:
        print("ready", flush=True)
    ahead = started + attempts / rate - time.monotonic()
    if select.select([sys.stdin], [], [], max(0, ahead))[0] and not sys.stdin.readline():
        break

print(json.dumps({"ok": ok, "failed": failed}), flush=True)
