"""Transactions of a replica (ovs.db.idl is the interface)."""
import uuid

import ovs.jsonrpc
import ovs.json
import ovs.ovsuuid
import ovs.poller
import ovs.vlog
from ovs.db import data
from ovs.db import error
from ovs.db._row import Row

vlog = ovs.vlog.Vlog("idl_txn")


def _uuid_name_from_uuid(uuid):
    return f"row{str(uuid).replace('-', '_')}"


def _where_uuid_equals(uuid):
    return [["_uuid", "==", ["uuid", str(uuid)]]]


class _InsertedRow:
    def __init__(self, op_index):
        self.op_index = op_index
        self.real = None


class Transaction:
    """Changes of the database that happen together or not at all.

    Open one, change rows (Row), insert() and Row.delete() some, Row.verify() the columns that the changes depend on,
    and
    commit(): that sends everything and takes the changes back out of the replica, where they come in again from the
    server.  As long as commit() returns INCOMPLETE call Idl.run() and commit() again, or use commit_block().  After
    TRY_AGAIN wait until Idl.change_seqno differs from what it was before the first commit(),
    and do it all again.  There
    is one at a time, and it ends (commit() or abort()) before the next Idl.run()."""

    UNCOMMITTED = "uncommitted"
    UNCHANGED = "unchanged"     # There was nothing to do.
    INCOMPLETE = "incomplete"
    ABORTED = "aborted"
    SUCCESS = "success"
    TRY_AGAIN = "try again"     # Something verified has changed, or the connection broke.
    NOT_LOCKED = "not locked"   # The lock of Idl.set_lock() is not held.
    ERROR = "error"             # get_error() says why.

    def __init__(self, idl):
        assert idl.txn is None
        idl.txn = self
        self.idl = idl
        self.dry_run = False
        self._txn_rows = {}         # What it touches, by UUID.
        self._request_id = None
        self._status = Transaction.UNCOMMITTED
        self._error = None
        self._comments = []
        self._operations = []       # Of add_op().
        self._inc_row = None
        self._inc_column = None
        self._inc_index = None
        self._inc_new_value = None
        self._fetch_requests = []
        self._inserted_rows = {}    # _InsertedRow by provisional UUID.

    def add_comment(self, comment):
        """Adds a line to the comment that the server's log keeps."""
        self._comments.append(comment)

    def add_op(self, op):
        """Adds an operation (RFC 7047 section 5.2) as it is, after the others."""
        self._operations.append(op)

    def wait(self, poller):
        """Has 'poller' wake up at once if commit() has a final answer."""
        if self._status not in (Transaction.UNCOMMITTED, Transaction.INCOMPLETE):
            poller.immediate_wake()

    @staticmethod
    def status_to_string(status):
        return status

    def insert(self, table, new_uuid=None, persist_uuid=False):
        """Inserts a row into 'table', one of Idl.tables, and returns it.  Its UUID, 'new_uuid' or random, is
        provisional: get_insert_uuid() tells the final one; with 'persist_uuid' it is kept."""
        assert self._status == Transaction.UNCOMMITTED
        if new_uuid is None:
            new_uuid = uuid.uuid4()
            persist_uuid = False
        elif isinstance(new_uuid, str):
            new_uuid = uuid.UUID(new_uuid)
        row = Row(self.idl, table, new_uuid, None, persist_uuid=persist_uuid)
        table.rows[row.uuid] = row
        self._txn_rows[row.uuid] = row
        return row

    # ---- What rows do ----

    def _write(self, row, column, datum):
        assert row._changes is not None
        assert row._idl is self.idl
        # What the server has already need not be sent, unless we do not really know what it has.
        row._mutations.pop(column.name, None)
        if row._data is not None and column.alert and row._data[column.name] == datum:
            row._changes.pop(column.name, None)
        else:
            row._changes[column.name] = datum
            self._txn_rows[row.uuid] = row
        row._table.rows.reindex(row, column.name)

    def _increment(self, row, column):
        assert not self._inc_row
        self._inc_row = row
        self._inc_column = column

    def _fetch(self, row, column_name):
        self._fetch_requests.append({"row": row, "column_name": column_name})

    # ---- Committing ----

    def commit(self):
        """Sends the transaction, or looks for the answer.  Returns one of the statuses above."""
        if self.idl.txn is self:
            self._status = self._send()
            self._disassemble()
        return self._status

    def commit_block(self):
        """commit() until the status is final, calling Idl.run() meanwhile."""
        while True:
            status = self.commit()
            if status != Transaction.INCOMPLETE:
                return status
            self.idl.run()
            poller = ovs.poller.Poller()
            self.idl.wait(poller)
            self.wait(poller)
            poller.block()

    def abort(self):
        """Takes all changes back.  Once sent, the transaction may happen nevertheless."""
        self._disassemble()
        if self._status in (Transaction.UNCOMMITTED, Transaction.INCOMPLETE):
            self._status = Transaction.ABORTED

    def _send(self):
        if self.idl.lock_name and not self.idl.has_lock:
            return Transaction.NOT_LOCKED
        params, any_updates = self._to_json()
        if not any_updates:
            return Transaction.UNCHANGED
        msg = ovs.jsonrpc.Message.create_request("transact", params)
        self._request_id = msg.id
        if self.idl.send_request(msg):
            return Transaction.TRY_AGAIN
        self.idl._outstanding_txns[self._request_id] = self
        return Transaction.INCOMPLETE

    def _to_json(self):
        """(The parameters of "transact", whether they do anything)."""
        params = [self.idl._db.name]
        if self.idl.lock_name:
            params.append({"op": "assert", "lock": self.idl.lock_name})
        for row in self._txn_rows.values():
            if row._prereqs:
                params.append(self._wait_op(row))
        n_checks = len(params)
        for row in self._txn_rows.values():
            self._row_ops(row, params)
        params += self._operations
        for fetch in self._fetch_requests:
            row = fetch["row"]
            fetch["index"] = len(params) - 1
            params.append({"op": "select", "table": row._table.name, "where": self._where(row),
                           "columns": [fetch["column_name"]]})
        any_updates = len(params) > n_checks
        if self._inc_row and any_updates:
            self._increment_ops(params)
        if self._comments:
            params.append({"op": "comment", "comment": "\n".join(self._comments)})
        if self.dry_run:
            params.append({"op": "abort"})
        return params, any_updates

    def _where(self, row):
        return self._substitute_uuids(_where_uuid_equals(row.uuid))

    def _wait_op(self, row):
        columns = list(row._prereqs)
        return {"op": "wait", "table": row._table.name, "timeout": 0, "until": "==",
                "where": _where_uuid_equals(row.uuid), "columns": columns,
                "rows": [{name: row._data[name].to_json() for name in columns}]}

    def _row_ops(self, row, params):
        """Appends the operations that change one row."""
        if row._changes is None:
            params.append({"op": "delete", "table": row._table.name, "where": _where_uuid_equals(row.uuid)})
            return
        if row._data is None:
            op = {"op": "insert", "table": row._table.name, "row": {}}
            if row._persist_uuid:
                op["uuid"] = str(row.uuid)
            else:
                op["uuid-name"] = _uuid_name_from_uuid(row.uuid)
            # The first of the params is no operation.
            self._inserted_rows[row.uuid] = _InsertedRow(len(params) - 1)
        else:
            op = {"op": "update", "table": row._table.name, "where": _where_uuid_equals(row.uuid), "row": {}}
        for name, datum in row._changes.items():
            if row._data is not None or not datum.is_default():
                op["row"][name] = self._substitute_uuids(datum.to_json())
        if row._data is None or op["row"]:
            params.append(op)
        self._mutation_ops(row, params)

    def _mutation_ops(self, row, params):
        mutations = []
        for name, m in row._mutations.items():
            type_ = row._table.columns[name].type
            if m.removes:
                keys = self._substitute_uuids([key.to_json() for key in m.removes])
                mutations.append([name, "delete", ["set", keys]])
            if m.inserts and type_.is_map():
                pairs = [[k.to_json(), v.to_json()] for k, v in sorted(m.inserts.items())]
                mutations.append([name, "insert", ["map", self._substitute_uuids(pairs)]])
            elif m.inserts:
                keys = self._substitute_uuids([key.to_json() for key in m.inserts])
                mutations.append([name, "insert", ["set", keys]])
        if mutations:
            params.append({"op": "mutate", "table": row._table.name, "mutations": mutations,
                           "where": _where_uuid_equals(row.uuid)})

    def _increment_ops(self, params):
        self._inc_index = len(params) - 1
        where = self._where(self._inc_row)
        params.append({"op": "mutate", "table": self._inc_row._table.name, "where": where,
                       "mutations": [[self._inc_column, "+=", 1]]})
        params.append({"op": "select", "table": self._inc_row._table.name, "where": where,
                       "columns": [self._inc_column]})

    def _substitute_uuids(self, json):
        """'json' with the names of rows that this transaction inserts for their provisional UUIDs."""
        if not isinstance(json, (list, tuple)):
            return json
        if len(json) == 2 and json[0] == "uuid" and isinstance(json[1], str) and ovs.ovsuuid.is_valid_string(json[1]):
            row = self._txn_rows.get(uuid.UUID(json[1]))
            if row is not None and row._data is None and not row._persist_uuid:
                return ["named-uuid", _uuid_name_from_uuid(row.uuid)]
            return json
        return [self._substitute_uuids(element) for element in json]

    def _disassemble(self):
        """Takes the changes out of the replica."""
        if self.idl.txn is not self:
            return
        self.idl.txn = None
        for row in self._txn_rows.values():
            if row._changes is None:
                # Deleted: it comes back until the server says so.
                row._table.rows.data[row.uuid] = row
            row.__dict__["_changes"] = {}
            row.__dict__["_mutations"] = {}
            row.__dict__["_prereqs"] = {}
            if row._data is None:
                if row.uuid in row._table.rows:
                    del row._table.rows[row.uuid]
            else:
                row._table.rows.reindex(row)
        self._txn_rows = {}

    # ---- The answer ----

    def get_error(self):
        """What is wrong, for messages; the status unless that is ERROR."""
        if self._status != Transaction.ERROR:
            return Transaction.status_to_string(self._status)
        return self._error or "no error details available"

    def get_increment_new_value(self):
        """The column of Row.increment() after success."""
        assert self._status == Transaction.SUCCESS
        return self._inc_new_value

    def get_insert_uuid(self, uuid):
        """The final UUID of the row that insert() gave the UUID 'uuid'; None if there was none, or it was deleted."""
        assert self._status in (Transaction.SUCCESS, Transaction.UNCHANGED)
        inserted = self._inserted_rows.get(uuid)
        return inserted.real if inserted else None

    def _set_error_json(self, json):
        if self._error is None:
            self._error = ovs.json.to_string(json)

    def _process_reply(self, msg):
        if msg.type == ovs.jsonrpc.Message.T_ERROR:
            self._set_error_json(msg.error)
            self._status = Transaction.ERROR
        elif not isinstance(msg.result, (list, tuple)):
            vlog.warn('reply to "transact" is not JSON array')
            self._status = Transaction.ERROR
        else:
            self._status = self._process_results(msg.result)

    def _process_results(self, results):
        soft_errors = lock_errors = False
        for op in results:
            if op is None:
                # An operation before it has failed.
                soft_errors = True
            elif not isinstance(op, dict):
                self._set_error_json(op)
                vlog.warn("operation reply is not JSON null or object")
                return Transaction.ERROR
            elif op.get("error") == "timed out":
                soft_errors = True
            elif op.get("error") == "not owner":
                lock_errors = True
            elif op.get("error") not in (None, "aborted"):
                self._set_error_json(op)
                return Transaction.ERROR
        if lock_errors:
            return Transaction.NOT_LOCKED
        if soft_errors:
            return Transaction.TRY_AGAIN
        try:
            self._read_results(results)
        except (error.Error, LookupError, TypeError, AttributeError) as e:
            vlog.warn(f"reply to \"transact\" makes no sense: {e!r}")
            return Transaction.ERROR
        return Transaction.SUCCESS

    def _read_results(self, results):
        """Raises one of a few errors if they are not what was asked for."""
        for inserted in self._inserted_rows.values():
            inserted.real = ovs.ovsuuid.from_json(results[inserted.op_index]["uuid"])
        if self._inc_index is not None:
            if results[self._inc_index].get("count") != 1:
                raise error.Error('"mutate" reply "count" is not 1')
            value = results[self._inc_index + 1]["rows"][0][self._inc_column]
            if not isinstance(value, int):
                raise error.Error('"select" reply inc column is not an integer')
            self._inc_new_value = value
        if not self.dry_run:
            for fetch in self._fetch_requests:
                self._read_fetched(fetch, results[fetch["index"]]["rows"])

    def _read_fetched(self, fetch, rows):
        if len(rows) != 1:
            raise error.Error('"select" reply "rows" has not one element')
        row, name = fetch["row"], fetch["column_name"]
        column = row._table.columns[name]
        datum = data.Datum.from_json(column.type, rows[0][name])
        row._data[name] = datum
        row._table.rows.reindex(row, name)
        self.idl.change_seqno += 1
