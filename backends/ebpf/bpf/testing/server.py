# SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
"""TCP and UDP servers on each ADDR#PORT given: connections get one line, "ADDR#PORT PEER#PORT"; datagrams get
"ADDR#PORT" and what they said. Prints "ready" when all listen."""

import selectors
import socket
import sys

selector = selectors.DefaultSelector()


def accept(listener, name):
    connection, peer = listener.accept()
    try:
        connection.sendall(("%s %s#%d\n" % (name, peer[0], peer[1])).encode())
    except OSError:  # the client has gone
        connection.close()
        return
    connection.setblocking(False)
    selector.register(connection, selectors.EVENT_READ, (end, name))


def end(connection, _name):
    try:
        if connection.recv(4096):
            return
    except OSError:
        pass
    selector.unregister(connection)
    connection.close()


def reply(listener, name):
    data, peer = listener.recvfrom(2048)
    listener.sendto(name.encode() + b" " + data, peer)


for name in sys.argv[1:]:
    host, port = name.split("#")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    tcp = socket.socket(family, socket.SOCK_STREAM)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    tcp.bind((host, int(port)))
    tcp.listen(1024)
    selector.register(tcp, selectors.EVENT_READ, (accept, name))
    udp = socket.socket(family, socket.SOCK_DGRAM)
    udp.bind((host, int(port)))
    selector.register(udp, selectors.EVENT_READ, (reply, name))
print("ready", flush=True)

while True:
    for key, _ in selector.select():
        handle, name = key.data
        handle(key.fileobj, name)
