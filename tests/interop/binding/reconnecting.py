"""ovs.reconnect: random walks through the state machine."""
import errno
import random

import show  # noqa: F401

from ovs.reconnect import CONNECT, DISCONNECT, EOF, Reconnect


class Walk:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.now = 1000
        self.fsm = Reconnect(self.now)
        self.passive = seed % 4 == 3
        self.settings(seed)

    def say(self, what, result=None):
        f, now = self.fsm, self.now
        print(now, what, result, f.is_enabled(), f.is_connected(), f.is_passive(), f.get_min_backoff(),
              f.get_max_backoff(), f.get_max_tries(), f.get_probe_interval(), f.timeout(now),
              f.get_last_connect_elapsed(now), f.get_last_disconnect_elapsed(now),
              sorted(vars(f.get_stats(now)).items()))

    def does(self, what, *args):
        getattr(self.fsm, what)(*args)
        self.say(what)

    def settings(self, seed):
        f, rnd, now = self.fsm, self.random, self.now
        self.say("new")
        for name in ("x", None):
            f.set_name(name)
            print(f.get_name())
        f.set_quiet(True)
        if self.passive:
            f.set_passive(True, now)
        self.does("enable", now)
        if seed % 3 == 1:
            f.set_max_tries(rnd.randrange(1, 5))
        if seed % 4 == 2:
            f.set_backoff_free_tries(rnd.randrange(0, 4))
        if seed % 5 == 3:
            f.set_backoff(rnd.choice((1000, 1500, 500)), rnd.choice((4000, 1000, 20000)))
        if seed % 7 == 4:
            f.set_probe_interval(rnd.choice((0, 500, 1000, 30000)))

    def step(self):
        self.now += self.random.choice((0, 0, 1, 10, 500, 1000, 1001, 2000, 5000, 8000, 20000))
        todo = self.fsm.run(self.now)
        self.say("run", todo)
        if todo == CONNECT:
            self.connect()
        elif todo == DISCONNECT:
            if self.random.randrange(2):
                self.does("disconnected", self.now, self.random.choice((0, errno.EPIPE, EOF)))
            else:
                self.does("connect_failed", self.now, errno.ETIMEDOUT)
        else:
            self.event()

    def connect(self):
        choice = self.random.randrange(4)
        if self.passive and choice < 3:
            self.does("listening", self.now)
        elif choice == 0:
            self.does("connecting", self.now)
            self.does("connected", self.now)
        elif choice == 1:
            self.does("connect_failed", self.now, self.random.choice((0, errno.ECONNREFUSED, errno.ETIMEDOUT)))
        else:
            self.does("connecting", self.now)

    def event(self):
        now, choice, seldom = self.now, self.random.randrange(14), self.random.randrange(5) == 0
        if choice < 3 and self.fsm.is_connected():
            self.does("activity", now)
        elif 3 <= choice < 5:
            self.does("receive_attempted", now)
        elif choice == 5 and self.fsm.get_stats(now).state in ("CONNECTING", "LISTENING"):
            self.does("connected", now)
        elif choice == 6:
            self.does("disconnected", now, self.random.choice((0, errno.EPIPE, EOF)))
        elif choice == 7:
            self.does("force_reconnect", now)
        elif choice == 8 and seldom:
            self.does("disable", now)
            self.does("enable", now)
        elif choice == 9 and self.passive:
            self.does("listen_error", now, errno.ENOMEM)
        elif choice == 10:
            self.does("receive_attempted", None)
        elif choice == 11 and seldom:
            self.does("set_backoff", 2000, 3000)
        elif choice == 12 and seldom:
            self.passive = not self.passive
            self.does("set_passive", self.passive, now)


for number in range(60):
    print("seed", number)
    walk = Walk(number)
    for _ in range(60):
        walk.step()
