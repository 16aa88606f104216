"""Serves each "PROTOCOL ADDRESS PORT" of the command line until it is killed.

A TCP connection gets one line, the address that it reached, and is closed; a datagram is answered with the same.
Prints "ready" when all of them listen.
"""

import selectors
import socket
import sys


def serve(words, ready):
    selector = selectors.DefaultSelector()
    for word in words:
        protocol, address, port = word.split()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
        server = socket.socket(family, kind)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, int(port)))
        if protocol == "tcp":
            server.listen(4096)
        server.setblocking(False)
        label = f"[{address}]:{port}\n" if ":" in address else f"{address}:{port}\n"
        selector.register(server, selectors.EVENT_READ, (protocol, label.encode()))
    ready()
    while True:
        for key, _ in selector.select():
            protocol, label = key.data
            try:
                if protocol == "udp":
                    _, client = key.fileobj.recvfrom(2048)
                    key.fileobj.sendto(label, client)
                    continue
                connection, _ = key.fileobj.accept()
                with connection:
                    connection.send(label)
            except OSError:
                continue


if __name__ == "__main__":
    serve(sys.argv[1:], lambda: print("ready", flush=True))
