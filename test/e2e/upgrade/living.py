"""Sockets that live while programs change, and a thread that asks them all the time whose they are.

Runs inside of clients.py. A set of sockets is [VIP4, VIP6, further VIPs for one socket that sends to them all].
"""


class Living:
    def __init__(self, vips, many):
        self.peers, self.asked = [], []
        for vip in [*vips, "::ffff:" + vips[0]]:
            stream, connected = new_socket(vip, STREAM), new_socket(vip, DATAGRAM)
            stream.connect((vip, 80))
            connected.connect((vip, 80))
            self.peers += [(stream, vip), (connected, vip)]
            self.asked.append((connected, None, vip, ask(connected)))
        loose = new_socket(many[0], DATAGRAM)
        self.peers_of_none = [loose]
        for vip in many:
            self.asked.append((loose, (vip, 80), vip, ask(loose, (vip, 80))))

    def wrong(self):
        """What is not as it was at first: the Service's name, and the same backend."""
        for s, vip in self.peers:
            if s.getpeername()[:2] != (vip, 80):
                yield [s.type.name, vip, s.getpeername()[:2]]
        for s, to, vip, first in self.asked:
            answer = ask(s, to)
            if answer != first or answer[1:] != [vip, 80]:
                yield [vip, first, answer]

    def close(self):
        for s in [*(s for s, _ in self.peers), *self.peers_of_none]:
            s.close()


living, found, rounds, watching = [], [], 0, True


def watch():
    global rounds
    while watching:
        for one in list(living):
            try:
                found.extend(one.wrong())
            except Exception:
                found.append(traceback.format_exc())
        rounds += 1
        time.sleep(0.005)


watcher = threading.Thread(target=watch, daemon=True)


def looked():
    """What was wrong since the last time, after two more rounds."""
    last = rounds + 2
    while rounds < last:
        time.sleep(0.005)
    wrong = found[:20]
    del found[:]
    return wrong


def end():
    global watching
    watching = False
    watcher.join()
    for one in living:
        one.close()
    return rounds
