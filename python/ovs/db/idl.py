"""A replica of a database, kept up to date by its server, and transactions that change it.

    helper = SchemaHelper(schema_json=...)          # which tables and columns
    helper.register_columns("Bridge", ["name", "ports"])
    idl = Idl("unix:/run/openvswitch/db.sock", helper)
    while True:
        idl.run()                                   # then look at idl.tables["Bridge"].rows.values()
        poller = ovs.poller.Poller()
        idl.wait(poller)
        poller.block()

What happens on a connection, in Idl.state:

    INITIAL -> SERVER_SCHEMA_REQUESTED -> SERVER_MONITOR_REQUESTED    is this the leader, has it the database?
      no: the next remote;  no "_Server" database: never mind
    -> DATA_MONITOR_COND_SINCE_REQUESTED -> MONITORING                or an older method of monitoring

The classes' other parts are in _row.py, _transaction.py and _helper.py."""
import collections
import enum
import uuid

import ovs.db.data as data
import ovs.db.parser
import ovs.db.schema
import ovs.jsonrpc
import ovs.ovsuuid
import ovs.poller
import ovs.vlog
from ovs.db import custom_index  # noqa: F401
from ovs.db import error
from ovs.db._helper import SchemaHelper  # noqa: F401
from ovs.db._row import ColumnDefaultDict, ConditionState, IdlColumn, IdlTable, Row, _row_to_uuid  # noqa: F401
from ovs.db._transaction import (Transaction, _InsertedRow, _uuid_name_from_uuid,  # noqa: F401
                                 _where_uuid_equals)  # noqa: F401

vlog = ovs.vlog.Vlog("ovs.db.idl")

ROW_CREATE = "create"
ROW_UPDATE = "update"
ROW_DELETE = "delete"

OVSDB_UPDATE = 0
OVSDB_UPDATE2 = 1
OVSDB_UPDATE3 = 2

CLUSTERED = "clustered"
RELAY = "relay"

# What Idl.notify() is called with.
Notice = collections.namedtuple("Notice", ("event", "row", "updates"), defaults=(None,))


class Monitor(enum.IntEnum):
    """The methods of monitoring, oldest first."""
    monitor = OVSDB_UPDATE
    monitor_cond = OVSDB_UPDATE2
    monitor_cond_since = OVSDB_UPDATE3


_T = ovs.jsonrpc.Message
_SERVER_COLUMNS = ["model", "name", "connected", "leader", "schema", "sid", "cid", "index"]


class Idl:
    """For reading: 'tables', a dict of tables by name with their 'rows', a dict of Row by uuid.UUID; 'change_seqno',
    which changes whenever the contents do (and sometimes when they do not); 'lock_name', 'has_lock' and
    'is_lock_contended' about set_lock(); 'txn', the Transaction being made, or None."""

    IDL_S_INITIAL = 0
    IDL_S_SERVER_SCHEMA_REQUESTED = 1
    IDL_S_SERVER_MONITOR_REQUESTED = 2
    IDL_S_DATA_MONITOR_REQUESTED = 3
    IDL_S_DATA_MONITOR_COND_REQUESTED = 4
    IDL_S_DATA_MONITOR_COND_SINCE_REQUESTED = 5
    IDL_S_MONITORING = 6

    monitor_map = {Monitor.monitor: IDL_S_DATA_MONITOR_REQUESTED,
                   Monitor.monitor_cond: IDL_S_DATA_MONITOR_COND_REQUESTED,
                   Monitor.monitor_cond_since: IDL_S_DATA_MONITOR_COND_SINCE_REQUESTED}

    def __init__(self, remote, schema_helper, probe_interval=None, leader_only=True):
        """A replica of what 'schema_helper' (a SchemaHelper, or what its get_idl_schema() returned) has of the database
        of its schema, from one of the servers 'remote', a list of connection methods separated by commas.  Columns
        whose 'alert' the caller has set to False are replicated without counting as changes, for those that are only
        written.  Nothing happens before run().

        'probe_interval': ms of silence until the server is probed, 0 never, None as usual.  'leader_only': of a
        cluster, talk to the leader."""
        assert isinstance(schema_helper, (SchemaHelper, ovs.db.schema.DbSchema))
        schema = schema_helper.get_idl_schema() if isinstance(schema_helper, SchemaHelper) else schema_helper
        self.tables = IdlTable.schema_tables(self, schema)
        self.readonly = getattr(schema, "readonly", {})
        self._db = schema
        self._session = ovs.jsonrpc.Session.open_multiple(self._parse_remotes(remote), probe_interval=probe_interval)
        self._last_seqno = None
        self.change_seqno = 0
        self.state = self.IDL_S_INITIAL
        self.txn = None
        self._outstanding_txns = {}

        self.uuid = uuid.uuid1()              # The identifier of the monitor.
        self._old_uuid = None                 # The one before, while its change is under way.
        self.last_id = str(ovs.ovsuuid.zero())
        self._request_id = None               # Of the "monitor_cond_change" under way.
        self._monitor_request_id = None
        self.cond_changed = False
        self.cond_seqno = 0

        self.lock_name = None
        self._lock_request_id = None
        self.has_lock = False
        self.is_lock_contended = False

        self.leader_only = leader_only
        self.cluster_id = None
        self._min_index = 0
        self.server_monitor_uuid = uuid.uuid1()
        self._server_schema_request_id = None
        self._server_monitor_request_id = None
        self._db_change_aware_request_id = None
        self._server_db_name = "_Server"
        self._server_db_table = "Database"
        self._server_db = None
        self.server_tables = None

    def _parse_remotes(self, remote):
        """The list of connection methods in 'remote', whose parts may contain commas themselves."""
        remotes = []
        for r in remote.split(","):
            if remotes and ":" not in r:
                remotes[-1] += f",{r}"
            else:
                remotes.append(r)
        return [r.strip() for r in remotes]

    # ---- For subclasses ----

    def notify(self, event, row, updates=None):
        """Called after each row was created, updated or deleted ('event': ROW_CREATE, ...); 'row' is as it is now, of a
        deleted one as it was; 'updates', of an updated one, is a Row with only the old values of what changed."""

    def cooperative_yield(self):
        """Called in the middle of long work, for programs of cooperative threads."""

    # ---- Conditions ----

    def cond_change(self, table_name, cond):
        """Replicates only the rows of a table for which one of the conditions in the list 'cond' holds (as in the
        protocol; no condition means no row).  Returns what 'cond_seqno' will be, at least, when that is done."""
        table = self.tables.get(table_name)
        if not table:
            raise error.Error(f'Unknown table "{table_name}"')
        if not cond:
            cond = [False]
        if table.condition != cond:
            table.condition = cond
            self.cond_changed = True
        states = [t.condition_state for t in self.tables.values()]
        in_flight = any(s.requested is not None for s in states)
        if table.condition_state.new is not None:
            return self.cond_seqno + (2 if in_flight else 1)
        return self.cond_seqno + (1 if table.condition_state.requested is not None else 0)

    def ack_conditions(self):
        """The server has taken the conditions that were requested."""
        for table in self.tables.values():
            table.condition_state.ack()
        self.cond_seqno += 1

    def sync_conditions(self):
        """On a new connection: what had been requested may or may not have been taken.  If some was, what came since
        'last_id' is not all that is to be known, so everything has to be fetched."""
        in_flight = False
        zero = str(ovs.ovsuuid.zero())
        for table in self.tables.values():
            state = table.condition_state
            in_flight = in_flight or state.requested is not None
            state.reset()
            if self.last_id != zero and state.new is not None and state.acked is None:
                in_flight = True
        if in_flight:
            self.last_id = zero
        # With 'last_id' the server needs the conditions that it refers to; the newer ones follow.
        self.cond_changed = any(t.condition_state.new is not None for t in self.tables.values())

    def compose_cond_change(self):
        """The request that changes the conditions, None if there is nothing to change."""
        if not self.cond_changed:
            return None
        requests = {}
        for table in self.tables.values():
            state = table.condition_state
            if state.new is not None:
                requests[table.name] = [{"where": state.new}]
                state.request()
        self.cond_changed = False
        if not requests:
            return None
        self._old_uuid, self.uuid = self.uuid, uuid.uuid1()
        return _T.create_request("monitor_cond_change", [str(self._old_uuid), str(self.uuid), requests])

    def send_cond_change(self):
        """Sends that request unless one is under way or the connection is not ready."""
        if (not self._session.is_connected() or self._request_id is not None or self.state != self.IDL_S_MONITORING
                or self._monitor_version == OVSDB_UPDATE):
            return
        msg = self.compose_cond_change()
        if msg:
            self.send_request(msg)
            self._request_id = msg.id

    # ---- Running ----

    def run(self):
        """Deals with what came from the server.  Returns whether the contents (or the lock) changed, or may have."""
        assert not self.txn
        initial_change_seqno = self.change_seqno
        self.send_cond_change()
        self._session.run()
        if self._session.get_seqno() != self._last_seqno:
            self._abort_txns()
            self.state = self.IDL_S_INITIAL
        for _ in range(50):
            if not self._session.is_connected():
                break
            seqno = self._session.get_seqno()
            if seqno != self._last_seqno:
                self._last_seqno = seqno
                self.restart_fsm()
                if self.lock_name:
                    self._send_lock_request()
            msg = self._session.recv()
            if msg is None:
                break
            try:
                self._process_msg(msg)
            except error.Error as e:
                vlog.err(f"{self._session.get_name()}: parse error in received message: {e}")
                self._error()
            self.cooperative_yield()
        self.send_cond_change()
        return initial_change_seqno != self.change_seqno

    def wait(self, poller):
        """Has 'poller' wake up when run() has something to do."""
        if self.cond_changed and self.state == self.IDL_S_MONITORING and self._request_id is None:
            poller.immediate_wake()
        self._session.wait(poller)
        self._session.recv_wait(poller)

    def close(self):
        """Ends the connection; the contents stay as they are."""
        self._session.close()

    def has_ever_connected(self):
        """Whether the contents were complete at least once; they may be old since."""
        return self.change_seqno != 0

    def force_reconnect(self):
        """Drops the connection and makes a new one."""
        if self.state == self.IDL_S_MONITORING:
            # There was a good reason to be connected here; the next need not wait.
            self._session.reset_backoff()
        self._session.force_reconnect()

    def session_name(self):
        return self._session.get_name()

    def send_request(self, request):
        """Sends a Message.  Returns 0 or an errno value."""
        return self._session.send(request)

    def set_cluster_id(self, cluster_id):
        """Talks only to servers of the cluster with this UUID."""
        self.cluster_id = cluster_id
        if self.state != self.IDL_S_INITIAL:
            self.force_reconnect()

    def _error(self):
        """The contents are not to be trusted any more: fetches everything over a new connection."""
        self.last_id = str(ovs.ovsuuid.zero())
        self._session.force_reconnect()

    def _reply_to(self, msg, name):
        """Whether 'msg' answers the request whose id is in the attribute 'name', which it empties."""
        request_id = getattr(self, name)
        if request_id is None or msg.type not in (_T.T_REPLY, _T.T_ERROR) or msg.id != request_id:
            return False
        setattr(self, name, None)
        return True

    def _process_msg(self, msg):
        if msg.type == _T.T_NOTIFY:
            self._process_notification(msg.method, msg.params)
        elif self._reply_to(msg, "_monitor_request_id"):
            self._monitor_reply(msg)
        elif self._reply_to(msg, "_request_id"):
            self._cond_change_reply(msg)
        elif self._reply_to(msg, "_server_schema_request_id"):
            self._server_schema_reply(msg)
        elif self._reply_to(msg, "_server_monitor_request_id"):
            self._server_monitor_reply(msg)
        elif self._reply_to(msg, "_lock_request_id"):
            self._lock_reply(msg)
        elif self._reply_to(msg, "_db_change_aware_request_id"):
            pass
        elif msg.type in (_T.T_REPLY, _T.T_ERROR) and msg.id in self._outstanding_txns:
            self._outstanding_txns.pop(msg.id)._process_reply(msg)
        else:
            # A late answer to what was asked on another connection.
            vlog.dbg(f"{self._session.get_name()}: received unexpected {_T.type_to_string(msg.type)} message")

    def _process_notification(self, method, params):
        versions = {"update": OVSDB_UPDATE, "update2": OVSDB_UPDATE2, "update3": OVSDB_UPDATE3}
        if method in versions:
            self._process_update(params, versions[method])
        elif method == "monitor_canceled" and len(params) >= 1:
            if params[0] in (str(self.uuid), str(self._old_uuid), str(self.server_monitor_uuid)):
                self.restart_fsm()
        elif method in ("locked", "stolen"):
            if self.lock_name and params and params[0] == self.lock_name:
                self._update_has_lock(method == "locked")
                self.is_lock_contended = method == "stolen"

    # ---- The connection's course ----

    def restart_fsm(self):
        """Starts the conversation from its beginning."""
        self._abort_txns()
        self.sync_conditions()
        self._request_id = self._monitor_request_id = self._lock_request_id = None
        self._server_monitor_request_id = self._db_change_aware_request_id = None
        self._old_uuid = None
        if self.has_lock:
            self._update_has_lock(False)
        self.state = self.IDL_S_SERVER_SCHEMA_REQUESTED
        self._server_schema_request_id = self._request("get_schema", [self._server_db_name])

    def _request(self, method, params):
        msg = _T.create_request(method, params)
        self.send_request(msg)
        return msg.id

    def _abort_txns(self):
        """Nobody will answer them."""
        for txn in self._outstanding_txns.values():
            txn._status = Transaction.TRY_AGAIN
        self._outstanding_txns = {}

    def _server_schema_reply(self, msg):
        if msg.type == _T.T_ERROR:
            self._send_monitor_request()  # An old server has no such database.
            return
        self._server_db = ovs.db.schema.DbSchema.from_json(msg.result)
        self.server_tables = IdlTable.schema_tables(self, self._server_db)
        table = self.server_tables.get(self._server_db_table)
        if table is None:
            raise error.Error(f"no table {self._server_db_table} in database {self._server_db_name}")
        self.server_monitor_uuid = uuid.uuid1()
        columns = [name for name in _SERVER_COLUMNS if name in table.columns]
        self._server_monitor_request_id = self._request(
            "monitor", [self._server_db_name, str(self.server_monitor_uuid), {table.name: [{"columns": columns}]}])
        self.state = self.IDL_S_SERVER_MONITOR_REQUESTED

    def _server_monitor_reply(self, msg):
        if msg.type == _T.T_ERROR:
            self._send_monitor_request()
            return
        self._apply(msg.result, OVSDB_UPDATE, self.server_tables)
        if self._check_server_db():
            self._send_monitor_request()
            self._db_change_aware_request_id = self._request("set_db_change_aware", [True])
        else:
            self.force_reconnect()

    def _check_server_db(self):
        """Whether the server is one to get the data from."""
        name = self._session.get_name()
        if not self.server_tables:
            vlog.info(f"{name}: server does not have a {self._server_db_name} database")
            return False
        database = self._find_database()
        if database is None:
            what = f"cluster {self.cluster_id}" if self.cluster_id else f"{self._db.name} database"
            vlog.info(f"{name}: server does not have {what}")
            return False
        if database.model == RELAY or database.model == CLUSTERED:
            if not database.schema:
                vlog.info(f"{name}: clustered database server has not yet joined cluster; trying another server")
                return False
            if not database.connected:
                vlog.info(f"{name}: {database.model} database server is disconnected; trying another server")
                return False
        if database.model == CLUSTERED:
            if self.leader_only and not database.leader:
                vlog.info(f"{name}: clustered database server is not cluster leader; trying another server")
                return False
            if database.index:
                if database.index[0] < self._min_index:
                    vlog.warn(f"{name}: clustered database server has stale data; trying another server")
                    return False
                self._min_index = database.index[0]
        return True

    def _find_database(self):
        for row in self.server_tables[self._server_db_table].rows.values():
            if self.cluster_id:
                if str(self.cluster_id) in map(str, row.cid):
                    return row
            elif row.name == self._db.name:
                return row
        return None

    def _send_monitor_request(self, max_version=Monitor.monitor_cond_since):
        """Asks for everything, or with 'last_id' for what changed since then."""
        self.state = self.monitor_map[Monitor(max_version)]
        self._monitor_version = Monitor(max_version)
        requests = {}
        since = max_version == Monitor.monitor_cond_since and self.last_id != str(ovs.ovsuuid.zero())
        for table in self.tables.values():
            readonly = self.readonly.get(table.name, ())
            request = {"columns": [name for name in table.columns if name not in readonly]}
            state = table.condition_state
            if max_version > Monitor.monitor:
                # What happened since a transaction is only known under the conditions of then.
                cond = state.acked if since and state.acked is not None else state.latest
                if cond is state.new:
                    state.request()
                if not ConditionState.is_true(cond):
                    request["where"] = cond
            requests[table.name] = [request]
        params = [self._db.name, str(self.uuid), requests]
        if max_version == Monitor.monitor_cond_since:
            params.append(self.last_id)
        self.cond_changed = any(t.condition_state.new is not None for t in self.tables.values())
        self._monitor_request_id = self._request(self._monitor_version.name, params)

    def _monitor_reply(self, msg):
        version = self._monitor_version
        if msg.type == _T.T_ERROR:
            if version > Monitor.monitor and self._is_unknown_method(msg.error):
                for table in self.tables.values():
                    table.condition_state.reset()
                self._send_monitor_request(Monitor(version - 1))
            else:
                vlog.err(f"{self._session.get_name()}: {version.name} failed: {ovs.json.to_string(msg.error)}")
            return
        found, updates = False, msg.result
        if version == Monitor.monitor_cond_since:
            if not isinstance(msg.result, list) or len(msg.result) != 3:
                raise error.Error("malformed reply to \"monitor_cond_since\"", msg.result)
            found, self.last_id, updates = msg.result
        if not found:
            self._clear()
        self.state = self.IDL_S_MONITORING
        self.change_seqno += 1
        self.ack_conditions()
        self._apply(updates, version, self.tables)

    @staticmethod
    def _is_unknown_method(json):
        return json == "unknown method" or (isinstance(json, dict) and json.get("error") == "unknown method")

    def _cond_change_reply(self, msg):
        self._old_uuid = None
        if msg.type == _T.T_ERROR:
            vlog.err(f"{self._session.get_name()}: monitor_cond_change failed: {ovs.json.to_string(msg.error)}")
            return
        self.ack_conditions()
        self.change_seqno += 1

    # ---- The lock ----

    def set_lock(self, lock_name):
        """Asks the server for the lock 'lock_name', as long as it takes; transactions fail without it.  None gives it
        back."""
        assert not self.txn
        assert not self._outstanding_txns
        if self.lock_name and self.lock_name != lock_name and self._session.is_connected():
            self._request("unlock", [self.lock_name])
            self._lock_request_id = None
        if self.lock_name != lock_name:
            self._update_has_lock(False)
            self.is_lock_contended = False
            self.lock_name = lock_name
            if lock_name and self._session.is_connected() and self._last_seqno == self._session.get_seqno():
                self._send_lock_request()

    def _send_lock_request(self):
        self._lock_request_id = self._request("lock", [self.lock_name])

    def _lock_reply(self, msg):
        if msg.type == _T.T_ERROR:
            vlog.warn(f"{self._session.get_name()}: lock \"{self.lock_name}\" refused: "
                      f"{ovs.json.to_string(msg.error)}")
            return
        got = isinstance(msg.result, dict) and msg.result.get("locked") is True
        self._update_has_lock(got)
        self.is_lock_contended = not got

    def _update_has_lock(self, new_has_lock):
        if new_has_lock and not self.has_lock:
            # With a connection that has not told the contents yet, there is nothing that the lock could be used for.
            if self.state == self.IDL_S_MONITORING:
                self.change_seqno += 1
            self.is_lock_contended = False
        self.has_lock = new_has_lock

    # ---- Contents ----

    def _clear(self):
        """Forgets all rows."""
        for table in self.tables.values():
            table.rows.clear()

    def _process_update(self, params, version):
        n = 3 if version == OVSDB_UPDATE3 else 2
        if len(params) < n:
            raise error.Error("malformed update notification", params)
        if params[0] == str(self.server_monitor_uuid):
            self._apply(params[n - 1], version, self.server_tables)
            if not self._check_server_db():
                self.force_reconnect()
        elif params[0] in (str(self.uuid), str(self._old_uuid)):
            if version == OVSDB_UPDATE3:
                self.last_id = params[1]
            self._apply(params[n - 1], version, self.tables)

    def _apply(self, table_updates, version, tables):
        """Applies <table-updates>, or <table-updates2>, and tells the program."""
        if not isinstance(table_updates, dict):
            raise error.Error("<table-updates> is not an object", table_updates)
        notices = []
        changed = False
        for table_name, table_update in table_updates.items():
            table = tables.get(table_name)
            if not table:
                raise error.Error(f'<table-updates> includes unknown table "{table_name}"')
            if not isinstance(table_update, dict):
                raise error.Error(f'<table-update> for table "{table_name}" is not an object', table_update)
            for uuid_string, row_update in table_update.items():
                self.cooperative_yield()
                notice, alert = self._apply_row(table, uuid_string, row_update, version)
                if notice:
                    notices.append(notice)
                    changed = changed or alert
        if changed and tables is self.tables:
            self.change_seqno += 1
        for notice in notices:
            self.notify(*notice)

    def _apply_row(self, table, uuid_string, row_update, version):
        """Applies one <row-update> (or 2): (Notice or None, whether it counts as a change)."""
        if not ovs.ovsuuid.is_valid_string(uuid_string):
            raise error.Error(f'<table-update> for table "{table.name}" contains bad UUID "{uuid_string}" as member '
                              "name", row_update)
        if not isinstance(row_update, dict):
            raise error.Error(f'<table-update> for table "{table.name}" contains <row-update> for {uuid_string} that '
                              "is not an object", row_update)
        row_uuid = uuid.UUID(uuid_string)
        if version == OVSDB_UPDATE:
            parser = ovs.db.parser.Parser(row_update, "row-update")
            old = parser.get_optional("old", [dict])
            new = parser.get_optional("new", [dict])
            parser.finish()
            if not old and not new:
                raise error.Error('<row-update> missing "old" and "new" members', row_update)
            return self._process_row(table, row_uuid, new, False)
        if len(row_update) != 1:
            raise error.Error("<row-update2> must have exactly one member", row_update)
        kind, value = next(iter(row_update.items()))
        if kind == "delete":
            return self._process_row(table, row_uuid, None, False)
        if kind not in ("initial", "insert", "modify") or not isinstance(value, dict):
            raise error.Error("<row-update2> makes no sense", row_update)
        return self._process_row(table, row_uuid, value, kind == "modify")

    def _process_row(self, table, row_uuid, row_json, is_diff):
        """'row_json' None: the row is gone."""
        row = table.rows.get(row_uuid)
        if row_json is None:
            if row is None:
                vlog.warn(f"cannot delete missing row {row_uuid} from table {table.name}")
                return None, False
            del table.rows[row_uuid]
            return Notice(ROW_DELETE, row), True
        if row is None:
            if is_diff:
                raise error.Error(f"Modify non-existing row {row_uuid} in table {table.name}")
            row = Row(self, table, row_uuid, ColumnDefaultDict(table))
            self._set_columns(row, row_json, False)
            table.rows[row_uuid] = row
            return Notice(ROW_CREATE, row), True
        old, alert = self._set_columns(row, row_json, is_diff)
        if not old:
            return None, False
        return Notice(ROW_UPDATE, row, Row(self, table, row_uuid, old)), alert

    def _set_columns(self, row, row_json, is_diff):
        """Sets columns from JSON: (a dict of the old values of those that changed, whether one of them counts)."""
        old, alert = {}, False
        for name, datum_json in row_json.items():
            column = row._table.columns.get(name)
            if column is None:
                vlog.warn(f"unknown column {name} updating table {row._table.name}")
                continue
            try:
                datum = data.Datum.from_json(_lenient(column.type), datum_json)
            except error.Error as e:
                vlog.warn(f"error parsing column {name} in table {row._table.name}: {e}")
                continue
            before = row._data[name]
            if is_diff:
                datum = before.diff(datum)
            datum.type = column.type
            if datum != before:
                row._data[name] = datum
                old[name] = before
                alert = alert or column.alert
        if old and row.uuid in row._table.rows:
            for name in old:
                row._table.rows.reindex(row, name)
        return old, alert

    # ---- Indexes ----

    def index_create(self, table, name):
        """A new MultiColumnIndex (ovs.db.custom_index) without columns; add_column() adds some."""
        return self.tables[table].rows.index_create(name)

    def index_irange(self, table, name, start, end):
        """The rows of an index from the entry 'start' to 'end', both included."""
        return self.tables[table].rows.indexes[name].irange(start, end)

    def index_equal(self, table, name, value):
        """The rows of an index that are equal to the entry 'value'."""
        return self.tables[table].rows.indexes[name].irange(value, value)


def _lenient(type_):
    """'type_' with any number of elements: a difference may have more than the column, or none."""
    if type_.is_scalar():
        return type_
    lenient = _lenient_types.get(id(type_))
    if lenient is None or lenient[0] is not type_:
        lenient = type_, ovs.db.types.Type(type_.key, type_.value, 0, 2 ** 63 - 1)
        _lenient_types[id(type_)] = lenient
    return lenient[1]


_lenient_types = {}  # By the identity of the type, which it keeps alive.

# Where programs, and messages that name a class, look for them.
for _class in (ColumnDefaultDict, ConditionState, IdlColumn, IdlTable, Row, SchemaHelper, Transaction):
    _class.__module__ = __name__
del _class
