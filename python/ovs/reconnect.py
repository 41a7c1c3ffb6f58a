"""When to connect, when to probe, when to give up: a state machine that does no input or output and reads no clock.

   VOID -enable-> BACKOFF -CONNECT-> CONNECTING -> ACTIVE <-> IDLE        (passive: LISTENING for CONNECTING)

The caller tells what happened and when ('now', milliseconds) and asks run() what to do.  The wait before an attempt
doubles from 'min_backoff' to 'max_backoff' while connections fail or do not last."""
import os

import ovs.util
import ovs.vlog

CONNECT = "connect"
DISCONNECT = "disconnect"
PROBE = "probe"
EOF = ovs.util.EOF

vlog = ovs.vlog.Vlog("reconnect")


class _State:
    """'deadline(fsm, now)' is when the state ends by itself, None if never; 'run(fsm, now)' what is to be done then."""
    name = ""
    is_connected = False

    @staticmethod
    def deadline(fsm, now):
        return None

    @staticmethod
    def run(fsm, now):
        return None


class Reconnect:
    class Void(_State):
        name = "VOID"

    class Listening(_State):
        name = "LISTENING"

    class Backoff(_State):
        name = "BACKOFF"

        @staticmethod
        def deadline(fsm, now):
            return fsm.state_entered + fsm.backoff

        @staticmethod
        def run(fsm, now):
            return CONNECT

    class ConnectInProgress(_State):
        name = "CONNECTING"

        @staticmethod
        def deadline(fsm, now):
            return fsm.state_entered + max(1000, fsm.backoff)

        @staticmethod
        def run(fsm, now):
            return DISCONNECT

    class Active(_State):
        name = "ACTIVE"
        is_connected = True

        @staticmethod
        def deadline(fsm, now):
            if not fsm.probe_interval:
                return None
            base = max(fsm.last_activity, fsm.state_entered)
            return fsm._after_receive(base + fsm.probe_interval, now)

        @staticmethod
        def run(fsm, now):
            idle = now - max(fsm.last_activity, fsm.state_entered)
            vlog.dbg(f"{fsm.name}: idle {idle} ms, sending inactivity probe")
            fsm._transition(now, Reconnect.Idle)
            return PROBE

    class Idle(_State):
        name = "IDLE"
        is_connected = True

        @staticmethod
        def deadline(fsm, now):
            if not fsm.probe_interval:
                return None
            return fsm._after_receive(fsm.state_entered + fsm.probe_interval, now)

        @staticmethod
        def run(fsm, now):
            vlog.err(f"{fsm.name}: no response to inactivity probe after {(now - fsm.state_entered) / 1000.0:.3g} "
                     "seconds, disconnecting")
            return DISCONNECT

    class Reconnect(_State):
        """To be dropped by request."""
        name = "RECONNECT"

        @staticmethod
        def deadline(fsm, now):
            return fsm.state_entered

        @staticmethod
        def run(fsm, now):
            return DISCONNECT

    def __init__(self, now):
        """A machine that is not enabled."""
        self.name = "void"
        self.min_backoff = 1000
        self.max_backoff = 8000
        self.probe_interval = 5000
        self.passive = False
        self.info_level = vlog.info

        self.state = Reconnect.Void
        self.state_entered = now
        self.backoff = 0
        self.last_activity = now
        self.last_connected = None
        self.last_disconnected = None
        self.last_receive_attempt = now
        self.max_tries = None
        self.backoff_free_tries = 0

        self.creation_time = now
        self.n_attempted_connections = 0
        self.n_successful_connections = 0
        self.total_connected_duration = 0
        self.seqno = 0

    # ---- Settings ----

    def set_quiet(self, quiet):
        """Logs at level "dbg" what would be at "info"."""
        self.info_level = vlog.dbg if quiet else vlog.info

    def get_name(self):
        return self.name

    def set_name(self, name):
        """The name for messages; None makes it "void"."""
        self.name = "void" if name is None else name

    def get_min_backoff(self):
        return self.min_backoff

    def get_max_backoff(self):
        return self.max_backoff

    def get_probe_interval(self):
        return self.probe_interval

    def set_backoff_free_tries(self, backoff_free_tries):
        """That many attempts are made without a wait; 0 is the same as 1."""
        self.backoff_free_tries = backoff_free_tries

    def set_max_tries(self, max_tries):
        """The machine disables itself after that many attempts more; None: never."""
        self.max_tries = max_tries

    def get_max_tries(self):
        return self.max_tries

    def set_backoff(self, min_backoff, max_backoff):
        """The bounds of the wait between attempts, ms, the lower at least 1000."""
        self.min_backoff = max(min_backoff, 1000)
        self.max_backoff = max(max_backoff, 1000) if max_backoff else 8000
        if self.min_backoff > self.max_backoff:
            self.max_backoff = self.min_backoff
        if self.state is Reconnect.Backoff and self.backoff > max_backoff:
            self.backoff = max_backoff

    def set_probe_interval(self, probe_interval):
        """After so many ms of silence, at least 1000, the peer is probed, after as many again given up; 0: never."""
        self.probe_interval = max(1000, probe_interval) if probe_interval else 0

    def is_passive(self):
        return self.passive

    def set_passive(self, passive, now):
        """A passive machine listens instead of connecting."""
        if self.passive == passive:
            return
        self.passive = passive
        if (passive and self.state in (Reconnect.ConnectInProgress, Reconnect.Reconnect)
                or not passive and self.state is Reconnect.Listening and self._may_retry()):
            self._transition(now, Reconnect.Backoff)
            self.backoff = 0

    # ---- What the caller wants ----

    def is_enabled(self):
        return self.state is not Reconnect.Void

    def enable(self, now):
        """Leaves VOID: run() will ask for a connection at once."""
        if self.state is Reconnect.Void and self._may_retry():
            self._transition(now, Reconnect.Backoff)
            self.backoff = 0

    def disable(self, now):
        """Stops; run() returns None from now on."""
        if self.state is not Reconnect.Void:
            self._transition(now, Reconnect.Void)

    def force_reconnect(self, now):
        """Has run() ask to drop the connection, or the attempt; it will be made again."""
        if self.state in (Reconnect.ConnectInProgress, Reconnect.Active, Reconnect.Idle):
            self._transition(now, Reconnect.Reconnect)

    # ---- What happened ----

    def disconnected(self, now, error):
        """The connection is lost, or the attempt has failed: 'error' is an errno value, EOF, or 0 if unknown."""
        if self.state in (Reconnect.Backoff, Reconnect.Void):
            return
        self._log_disconnected(error)
        if self.state.is_connected:
            self.last_disconnected = now
        if self._may_retry():
            self._back_off(now)
            self._transition(now, Reconnect.Backoff)
        else:
            self._transition(now, Reconnect.Void)

    def connect_failed(self, now, error):
        """The attempt has failed."""
        self.connecting(now)
        self.disconnected(now, error)

    def listen_error(self, now, error):
        """Listening, or accepting, has failed."""
        if self.state is Reconnect.Listening:
            self.disconnected(now, error)

    def connecting(self, now):
        """An attempt has begun."""
        if self.state is not Reconnect.ConnectInProgress:
            self.info_level(f"{self.name}: {'listening...' if self.passive else 'connecting...'}")
            self._transition(now, Reconnect.ConnectInProgress)

    def listening(self, now):
        """The program listens for a peer."""
        if self.state is not Reconnect.Listening:
            self.info_level(f"{self.name}: listening...")
            self._transition(now, Reconnect.Listening)

    def connected(self, now):
        if not self.state.is_connected:
            self.connecting(now)
            self.info_level(f"{self.name}: connected")
            self._transition(now, Reconnect.Active)
            self.last_connected = now

    def activity(self, now):
        """The peer gave a sign of life."""
        if self.state is not Reconnect.Active:
            self._transition(now, Reconnect.Active)
        self.last_activity = now

    def receive_attempted(self, now):
        """The program has looked for messages: only after that silence counts.  None: it always counts."""
        self.last_receive_attempt = now

    # ---- What to do ----

    def run(self, now):
        """None, CONNECT (or listen), DISCONNECT, or PROBE: send a request that the peer answers."""
        deadline = self.state.deadline(self, now)
        if deadline is not None and now >= deadline:
            return self.state.run(self, now)
        return None

    def wait(self, poller, now):
        """Has 'poller' wake up in time for run()."""
        timeout = self.timeout(now)
        if timeout is not None and timeout >= 0:
            poller.timer_wait(timeout)

    def timeout(self, now):
        """Milliseconds until run() has something to do, None if never."""
        deadline = self.state.deadline(self, now)
        return None if deadline is None else max(0, deadline - now)

    def is_connected(self):
        return self.state.is_connected

    def get_last_connect_elapsed(self, now):
        return None if self.last_connected is None else now - self.last_connected

    def get_last_disconnect_elapsed(self, now):
        return None if self.last_disconnected is None else now - self.last_disconnected

    def get_stats(self, now):
        class Stats:
            pass

        stats = Stats()
        stats.creation_time = self.creation_time
        stats.last_activity = self.last_activity
        stats.last_connected = self.last_connected
        stats.last_disconnected = self.last_disconnected
        stats.backoff = self.backoff
        stats.seqno = self.seqno
        stats.is_connected = self.is_connected()
        stats.msec_since_connect = self.get_last_connect_elapsed(now)
        stats.msec_since_disconnect = self.get_last_disconnect_elapsed(now)
        stats.total_connected_duration = self.total_connected_duration
        if self.is_connected():
            stats.total_connected_duration += self.get_last_connect_elapsed(now)
        stats.n_attempted_connections = self.n_attempted_connections
        stats.n_successful_connections = self.n_successful_connections
        stats.state = self.state.name
        stats.state_elapsed = now - self.state_entered
        return stats

    # ---- Inside ----

    def _after_receive(self, deadline, now):
        """Silence until 'deadline' counts only if somebody has listened since then."""
        if self.last_receive_attempt is None or self.last_receive_attempt >= deadline:
            return deadline
        # The program has not looked yet: once it has, if the time is up.
        return max(deadline, now + 1)

    def _back_off(self, now):
        """Determines the wait before the next attempt."""
        if self.backoff_free_tries > 1:
            self.backoff_free_tries -= 1
            self.backoff = 0
        elif self.state.is_connected and self.passive:
            self.backoff = 0
        elif self.state.is_connected and self.last_activity - self.last_connected >= self.backoff:
            # The connection was good for something as long as that.
            self.backoff = self.min_backoff
        elif self.backoff < self.min_backoff:
            self.backoff = self.min_backoff
        else:
            self.backoff = min(self.backoff * 2, self.max_backoff)

    def _log_disconnected(self, error):
        listening = self.state is Reconnect.Listening
        if self.state.is_connected or self.state is Reconnect.Reconnect:
            if error > 0:
                vlog.warn(f"{self.name}: connection dropped ({os.strerror(error)})")
            elif error == EOF:
                self.info_level(f"{self.name}: connection closed by peer")
            else:
                self.info_level(f"{self.name}: connection dropped")
        elif error > 0:
            what = "error listening for connections" if listening else "connection attempt failed"
            vlog.warn(f"{self.name}: {what} ({os.strerror(error)})")
        else:
            self.info_level(f"{self.name}: "
                            f"{'error listening for connections' if listening else 'connection attempt timed out'}")

    def _may_retry(self):
        """Counts an attempt; whether it is allowed."""
        if self.max_tries is None:
            return True
        if self.max_tries <= 0:
            return False
        self.max_tries -= 1
        return True

    def _transition(self, now, state):
        if self.state is Reconnect.ConnectInProgress:
            self.n_attempted_connections += 1
            if state is Reconnect.Active:
                self.n_successful_connections += 1
        was_connected = self.state.is_connected
        if was_connected != state.is_connected:
            if was_connected:
                self.total_connected_duration += now - self.last_connected
            self.seqno += 1
        vlog.dbg(f"{self.name}: entering {state.name}")
        self.state = state
        self.state_entered = now
