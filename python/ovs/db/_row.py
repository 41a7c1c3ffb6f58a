"""Rows and tables of a replica (ovs.db.idl is the interface)."""
import functools

import ovs.vlog
from ovs.db import custom_index
from ovs.db import data
from ovs.db import error

vlog = ovs.vlog.Vlog("idl")


class ColumnDefaultDict(dict):
    """The Datums of a row by column; a column that it does not hold has its default, made when it is asked for."""
    __slots__ = ("_table",)

    def __init__(self, table):
        super().__init__()
        self._table = table

    def __missing__(self, column):
        datum = self[column] = data.Datum.default(self._table.columns[column].type)
        return datum

    def __contains__(self, item):
        return item in self._table.columns

    def __iter__(self):
        return iter(self._table.columns)

    def keys(self):
        return self._table.columns.keys()

    def values(self):
        return [self[column] for column in self]

    def items(self):
        return [(column, self[column]) for column in self]

    def get(self, key, default=None):
        return self[key] if key in self else default


def _row_to_uuid(value):
    """The UUID of a row; anything else unchanged."""
    return value.uuid if isinstance(value, Row) else value


class _Mutations:
    """What a transaction does to one column by parts: keys to remove, then keys (and values) to insert."""

    def __init__(self):
        self.removes = {}   # Atom to None.
        self.inserts = {}   # Atom to Atom, None in a set.

    def insert(self, key, value, replace):
        self.removes.pop(key, None)
        if replace:
            self.removes[key] = None
        self.inserts[key] = value

    def remove(self, key):
        self.inserts.pop(key, None)
        self.removes[key] = None

    def apply(self, datum):
        """'datum' as it will be."""
        result = datum.copy()
        for key in self.removes:
            result.values.pop(key, None)
        result.values.update(self.inserts)
        return result


@functools.total_ordering
class Row:
    """A row: 'uuid', and an attribute for each column, as Datum.to_python() gives it: int, float, bool, str, uuid.UUID,
    a Row for a reference, a list of these, or a dict.  What is not as the schema says has the column's default.

    While there is a Transaction, columns can be assigned new values, which are seen at once and stored when it commits.
    A value is a copy: changing it changes nothing; assign it again, or use setkey() and its like."""

    # In __dict__, so that __setattr__() is for columns alone:
    #   _idl, _table      where it belongs
    #   _data             what the database has: Datums by column; None in a row that the transaction inserts
    #   _changes          what the transaction assigns; None once it deletes the row
    #   _mutations        what it changes by parts: _Mutations by column
    #   _prereqs          columns to verify
    #   _persist_uuid     the UUID of an inserted row is to be kept

    def __init__(self, idl, table, uuid, data, persist_uuid=False):
        self.__dict__.update(uuid=uuid, _idl=idl, _table=table, _data=data, _changes={}, _mutations={}, _prereqs={},
                             _persist_uuid=persist_uuid)

    def __lt__(self, other):
        return self.uuid < other.uuid if isinstance(other, Row) else NotImplemented

    def __eq__(self, other):
        return self.uuid == other.uuid if isinstance(other, Row) else NotImplemented

    def __hash__(self):
        return hash(self.uuid)

    def __str__(self):
        columns = sorted(column for column in self._table.columns if hasattr(self, column))
        return f"{self._table.name}({', '.join(f'{c}={getattr(self, c)}' for c in columns)})"

    def _uuid_to_row(self, atom, base):
        """The row that 'atom' refers to, None if it is not known; other values unchanged."""
        if base.ref_table is None:
            return atom
        table = self._idl.tables.get(base.ref_table.name)
        return atom if table is None else table.rows.get(atom)

    def _datum(self, column):
        """The value with the transaction's changes; raises KeyError."""
        if column in self._changes:
            datum = self._changes[column]
        elif self._data is None:
            datum = data.Datum.default(self._table.columns[column].type)
        else:
            datum = self._data[column]
        if column in self._mutations:
            datum = self._mutations[column].apply(datum)
        return datum

    def __getattr__(self, column_name):
        # Only for what is not in __dict__.
        if column_name.startswith("__"):
            raise AttributeError(column_name)
        assert self._changes is not None, "the row was deleted by the transaction"
        try:
            datum = self._datum(column_name)
        except KeyError:
            raise AttributeError(f"{type(self).__name__} instance has no attribute '{column_name}'") from None
        return datum.to_python(self._uuid_to_row)

    def _readonly(self, column_name):
        if column_name in self._idl.readonly.get(self._table.name, ()):
            vlog.warn(f"attempting to write to readonly column {column_name}")
            return True
        return False

    def __setattr__(self, column_name, value):
        assert self._changes is not None
        assert self._idl.txn
        column = self._table.columns[column_name]
        if self._readonly(column_name):
            return
        try:
            datum = data.Datum.from_python(column.type, value, _row_to_uuid)
        except error.Error as e:
            vlog.err(f"attempting to write bad value to column {column_name} ({e})")
            return
        self._idl.txn._write(self, column, datum)

    def _mutate(self, column_name, change):
        """Has change(_Mutations, TYPE) change a column by parts, of a row that exists; otherwise as a whole."""
        assert self._changes is not None
        assert self._idl.txn
        column = self._table.columns[column_name]
        if self._readonly(column_name):
            return
        whole = self._data is None or column_name in self._changes
        mutations = _Mutations() if whole else self._mutations.get(column_name) or _Mutations()
        try:
            change(mutations, column.type)
        except error.Error as e:
            vlog.err(f"attempting to write bad value to column {column_name} ({e})")
            return
        if whole:
            self._idl.txn._write(self, column, mutations.apply(self._datum(column_name)))
        elif mutations.inserts or mutations.removes:
            self._mutations[column_name] = mutations
            self._idl.txn._txn_rows[self.uuid] = self
            self._table.rows.reindex(self, column_name)

    def addvalue(self, column_name, key):
        """Adds 'key' to a set, without sending the rest of it."""
        self._mutate(column_name, lambda m, t: m.insert(data.Atom.from_python(t.key, _row_to_uuid(key)), None, False))

    def delvalue(self, column_name, key):
        """Removes 'key' from a set, likewise."""
        self._mutate(column_name, lambda m, t: m.remove(data.Atom.from_python(t.key, _row_to_uuid(key))))

    def setkey(self, column_name, key, value):
        """Sets the value of 'key' in a map, likewise."""
        self._mutate(column_name, lambda m, t: m.insert(data.Atom.from_python(t.key, _row_to_uuid(key)),
                                                        data.Atom.from_python(t.value, _row_to_uuid(value)), True))

    def delkey(self, column_name, key, value=None):
        """Removes 'key' from a map, likewise; if 'value' is given, only if that is its value."""
        if value is None or getattr(self, column_name).get(key) == value:
            self._mutate(column_name, lambda m, t: m.remove(data.Atom.from_python(t.key, _row_to_uuid(key))))

    @classmethod
    def from_json(cls, idl, table, uuid, row_json):
        """A row with the columns in 'row_json', a <row> of the protocol.  What does not fit is logged and left out."""
        datums = {}
        for column_name, datum_json in row_json.items():
            column = table.columns.get(column_name)
            if column is None:
                vlog.warn(f"unknown column {column_name} in table {table.name}")
                continue
            try:
                datums[column_name] = data.Datum.from_json(column.type, datum_json)
            except error.Error as e:
                vlog.warn(f"error parsing column {column_name} in table {table.name}: {e}")
        return cls(idl, table, uuid, datums)

    def verify(self, column_name):
        """Makes the commit end with Transaction.TRY_AGAIN if the column's value in the database is then not what the
        replica has now, or the row is gone.  Does nothing for a row that the transaction inserts or a column that it
        has assigned already: so call it before assigning."""
        assert self._changes is not None
        if not self._idl.txn:
            return
        column_name = self._table.columns[column_name].name
        if self._data is not None and column_name not in self._changes:
            self._prereqs[column_name] = None
            self._idl.txn._txn_rows[self.uuid] = self

    def delete(self):
        """Deletes the row; there must be a transaction."""
        assert self._idl.txn
        assert self._changes is not None
        if self._data is None:
            del self._idl.txn._txn_rows[self.uuid]
        else:
            self._idl.txn._txn_rows[self.uuid] = self
        del self._table.rows[self.uuid]
        self.__dict__["_changes"] = None

    def fetch(self, column_name):
        """Asks for the value of a column that was registered as readonly; it is there once the transaction has
        committed."""
        self._idl.txn._fetch(self, column_name)

    def increment(self, column_name):
        """Adds 1 to an integer column if the transaction does anything else; get_increment_new_value() of the
        Transaction is the result.  Never the reason for TRY_AGAIN."""
        assert self._idl.txn
        self._idl.txn._increment(self, column_name)


class IdlColumn:
    """A ovs.db.schema.ColumnSchema; changes of a column whose 'alert' is False are not reported."""

    def __init__(self, column):
        self._column = column
        self.alert = getattr(column, "alert", True)

    def __getattr__(self, attr):
        return getattr(self._column, attr)


class ConditionState:
    """The condition of a table on its way to the server: 'new' is to be requested, 'requested' is, 'acked' is what the
    server has."""

    def __init__(self):
        self._acked = None
        self._requested = None
        self._new = [True]

    def __iter__(self):
        return iter([self._new, self._requested, self._acked])

    @property
    def new(self):
        return self._new

    @property
    def acked(self):
        return self._acked

    @property
    def requested(self):
        return self._requested

    @property
    def latest(self):
        """The newest of them."""
        return next((cond for cond in self if cond is not None), None)

    @staticmethod
    def is_true(condition):
        return condition == [True]

    def init(self, cond):
        self._new = cond

    def request(self):
        """'new' has been sent."""
        if self._new is not None:
            self._requested, self._new = self._new, None

    def ack(self):
        """The server has taken 'requested'."""
        if self._requested is not None:
            self._acked, self._requested = self._requested, None

    def reset(self):
        """'requested' is to be sent again, unless there is something newer."""
        if self._requested is not None and self._new is None:
            self._new = self._requested
        self._requested = None


class IdlTable:
    """A ovs.db.schema.TableSchema with its 'rows': Row by uuid.UUID, in an IndexedRows."""

    def __init__(self, idl, table):
        self._table = table
        self.idl = idl
        self.need_table = False
        self.columns = {name: IdlColumn(column) for name, column in table.columns.items()}
        self.rows = custom_index.IndexedRows(self)
        self._condition_state = ConditionState()

    def __getattr__(self, attr):
        if attr == "_table":
            raise AttributeError(attr)
        return getattr(self._table, attr)

    @property
    def condition_state(self):
        return self._condition_state

    @property
    def condition(self):
        return self._condition_state.latest

    @condition.setter
    def condition(self, condition):
        assert isinstance(condition, (list, ConditionState))
        if isinstance(condition, ConditionState):
            self._condition_state = condition
        else:
            self._condition_state.init(condition)

    @classmethod
    def schema_tables(cls, idl, schema):
        """A dict of the tables of a ovs.db.schema.DbSchema."""
        return {name: cls(idl, table) for name, table in schema.tables.items()}
