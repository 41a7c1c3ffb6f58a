"""Sorted indexes over the rows of a replica (ovs.db.idl)."""
import collections
import functools
import operator

import sortedcontainers

OVSDB_INDEX_ASC = "ASC"
OVSDB_INDEX_DESC = "DESC"
ColumnIndex = collections.namedtuple("ColumnIndex", ["column", "direction", "key"])


class MultiColumnIndex:
    """Rows in the order of some columns; among equals by UUID.  'values' holds an entry for each row (see
    IndexEntryClass()); iterating gives the rows."""

    def __init__(self, name):
        self.name = name
        self.columns = []
        self._rows = {}  # UUID to (entry, row).
        self.clear()

    def __repr__(self):
        return f"{type(self).__name__}(name={self.name})"

    __str__ = __repr__

    def add_column(self, column, direction=OVSDB_INDEX_ASC, key=None):
        """Sorts also by 'column', after those that were added before; key(entry) is what is compared if given."""
        self.columns.append(ColumnIndex(column, direction, key or operator.attrgetter(column)))
        rows = [row for _, row in self._rows.values()]
        self.clear()
        for row in rows:
            self.add(row)

    def add_columns(self, *columns):
        for column in columns:
            self.add_column(column)

    def _cmp(self, a, b):
        for column, direction, key in self.columns:
            aval, bval = key(a), key(b)
            if aval != bval:
                result = (aval > bval) - (aval < bval)
                return result if direction == OVSDB_INDEX_ASC else -result
        # An entry to search for has no UUID and is equal to all with its values.
        if a.uuid is None or b.uuid is None or a.uuid == b.uuid:
            return 0
        return -1 if a.uuid < b.uuid else 1

    def index_entry_from_row(self, row):
        return row._table.rows.IndexEntry(uuid=row.uuid,
                                          **{c.column: getattr(row, c.column) for c in self.columns})

    def add(self, row):
        """Adds 'row', or puts it where it belongs now."""
        if row.uuid in self._rows:
            self.remove(row)
        entry = self.index_entry_from_row(row)
        self._rows[row.uuid] = entry, row
        self.values.add(entry)

    def remove(self, row):
        if row.uuid in self._rows:
            self.values.remove(self._rows.pop(row.uuid)[0])

    def clear(self):
        self._rows = {}
        self.values = sortedcontainers.SortedKeyList(key=functools.cmp_to_key(self._cmp))

    def irange(self, start, end):
        """The rows from the entry 'start' to 'end', both included; None is without limit."""
        return iter([self._rows[entry.uuid][1] for entry in self.values.irange(start, end)])

    def __iter__(self):
        return iter([self._rows[entry.uuid][1] for entry in self.values])


class IndexedRows(collections.UserDict):
    """The rows of a table by UUID, kept in order in any number of indexes as well."""

    def __init__(self, table, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.table = table
        self.indexes = {}
        self.IndexEntry = IndexEntryClass(table)

    def index_create(self, name):
        """A new index without columns: add_column() adds some.  Raises ValueError if there is one of that name."""
        if name in self.indexes:
            raise ValueError(f"An index named {name} already exists")
        index = self.indexes[name] = MultiColumnIndex(name)
        for row in self.data.values():
            index.add(row)
        return index

    def __setitem__(self, key, item):
        self.data[key] = item
        for index in self.indexes.values():
            index.add(item)

    def __delitem__(self, key):
        item = self.data.pop(key)
        for index in self.indexes.values():
            index.remove(item)

    def reindex(self, row, column=None):
        """The values of 'row', or only of one column, have changed."""
        for index in self.indexes.values():
            if row.uuid in self.data and (column is None or any(c.column == column for c in index.columns)):
                index.add(row)

    def clear(self):
        self.data.clear()
        for index in self.indexes.values():
            index.clear()

    # The ways around __setitem__() and __delitem__() that a dict has.
    def pop(self, key, *args):
        raise NotImplementedError()

    def popitem(self):
        raise NotImplementedError()

    def setdefault(self, key, failobj=None):
        raise NotImplementedError()

    def update(self, dict=None, **kwargs):
        raise NotImplementedError()

    @classmethod
    def fromkeys(cls, iterable, value=None):
        raise NotImplementedError()


def IndexEntryClass(table):
    """A class, called as 'table' is, of entries in indexes: named tuples of "uuid" and the columns, which not given are
    what they are in a new row.  Port = IndexEntryClass(idl.tables["Port"]); index.irange(Port(name="a"),
                                                                                          Port(name="b"))
    are the ports from "a" to "b"."""
    names = ["uuid"] + list(table.columns)
    defaults = [None]
    for column in table.columns.values():
        default = [] if not column.type.is_scalar() else column.type.key.type.default
        defaults.append({} if column.type.is_map() else default)
    entry = collections.namedtuple(table.name, names, defaults=defaults)
    entry._table = table
    return entry
