# SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
"""The commands of client.c that tests of the everyday cases need, through Python's own socket module."""

import errno
import socket
import sys

sockets = {}


def address(name, host, port):
    """Python wants addresses of the socket's own family: what an IPv6 socket calls an IPv4 address is mapped."""
    mapped = sockets[name].family == socket.AF_INET6 and ":" not in host
    return ("::ffff:" + host if mapped else host, int(port))


def run(command, args):
    if command == "socket":
        family = socket.AF_INET6 if args[1] == "inet6" else socket.AF_INET
        kind = socket.SOCK_STREAM if args[2] == "stream" else socket.SOCK_DGRAM
        made = socket.socket(family, kind)
        made.settimeout(2)
        sockets[args[0]] = made
    elif command == "nonblock":
        sockets[args[0]].setblocking(False)
    elif command == "bind":
        sockets[args[0]].bind(address(args[0], args[1], args[2]))
    elif command == "connect":
        sockets[args[0]].connect(address(args[0], args[1], args[2]))
    elif command == "send":
        sockets[args[0]].send(args[1].encode())
    elif command == "sendto":
        sockets[args[0]].sendto(args[3].encode(), address(args[0], args[1], args[2]))
    elif command == "recvfrom":
        data, peer = sockets[args[0]].recvfrom(200)
        if peer is None:  # a stream
            return data.decode().strip()
        return "%s %d %s" % (peer[0], peer[1], data.decode())
    elif command == "getpeername":
        peer = sockets[args[0]].getpeername()
        return "%s %d" % (peer[0], peer[1])
    elif command == "soerror":
        pending = sockets[args[0]].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return errno.errorcode.get(pending, "0")
    elif command == "close":
        sockets.pop(args[0]).close()
    else:
        sys.exit("unknown command: " + command)
    return ""


for line in sys.stdin:
    words = line.split()
    try:
        print(("ok " + run(words[0], words[1:])).strip(), flush=True)
    except TimeoutError:
        print("err EAGAIN", flush=True)
    except OSError as error:
        print("err " + errno.errorcode[error.errno], flush=True)
