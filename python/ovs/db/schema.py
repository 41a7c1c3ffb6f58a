"""Schemas of databases (RFC 7047 section 3.2)."""
import re
import sys

from ovs.db import error
import ovs.db.parser
import ovs.db.types


def _check_id(name, json):
    if name.startswith("_"):
        raise error.Error('names beginning with "_" are reserved', json)
    if not ovs.db.parser.is_identifier(name):
        raise error.Error("name must be a valid id", json)


class DbSchema:
    """'tables' is a dict of TableSchemas by name; 'version' is "X.Y.Z", or "" if the schema has none."""

    def __init__(self, name, version, tables, allow_extensions=False):
        self.name = name
        self.version = version
        self.tables = tables
        self.allow_extensions = allow_extensions
        # A schema from before garbage collection has no "isRoot": then every table counts as a root.
        if not any(t.is_root for t in tables.values()):
            for table in tables.values():
                table.is_root = True
        for table in tables.values():
            for column in table.columns.values():
                self._follow_ref_table(column, column.type.key, "key")
                self._follow_ref_table(column, column.type.value, "value")

    def _follow_ref_table(self, column, base, base_name):
        if not base or base.type is not ovs.db.types.UuidType or not base.ref_table_name:
            return
        base.ref_table = self.tables.get(base.ref_table_name)
        if not base.ref_table:
            raise error.Error(f"column {column.name} {base_name} refers to undefined table {base.ref_table_name}",
                              tag="syntax error")
        if base.is_strong_ref() and not base.ref_table.is_root:
            # What nothing else keeps alive must not be forgotten by those who keep it.
            column.persistent = True

    @staticmethod
    def from_json(json, allow_extensions=False):
        parser = ovs.db.parser.Parser(json, "database schema")
        name = parser.get("name", ["id"])
        version = parser.get_optional("version", [str])
        parser.get_optional("cksum", [str])
        tables_json = parser.get("tables", [dict])
        parser.finish()
        if version is not None and not re.match(r"[0-9]+\.[0-9]+\.[0-9]+$", version):
            raise error.Error(f'schema version "{version}" not in format x.y.z')
        tables = {}
        for table_name, table_json in tables_json.items():
            _check_id(table_name, json)
            tables[table_name] = TableSchema.from_json(table_json, table_name, allow_extensions)
        return DbSchema(name, version, tables, allow_extensions)

    def to_json(self):
        # "isRoot" is left out where it is the default, which depends on whether the schema has any.
        default_is_root = all(t.is_root for t in self.tables.values())
        json = {"name": self.name,
                "tables": {name: table.to_json(default_is_root) for name, table in self.tables.items()}}
        if self.version:
            json["version"] = self.version
        return json

    def copy(self):
        return DbSchema.from_json(self.to_json(), self.allow_extensions)


class TableSchema:
    """'columns' is a dict of ColumnSchemas by name; 'indexes' a list of lists of them."""

    def __init__(self, name, columns, mutable=True, max_rows=sys.maxsize, is_root=True, indexes=(), extensions=None):
        self.name = name
        self.columns = columns
        self.mutable = mutable
        self.max_rows = max_rows
        self.is_root = is_root
        self.indexes = list(indexes)
        self.extensions = extensions or {}

    @staticmethod
    def from_json(json, name, allow_extensions=False):
        parser = ovs.db.parser.Parser(json, f"table schema for table {name}")
        columns_json = parser.get("columns", [dict])
        mutable = parser.get_optional("mutable", [bool], True)
        max_rows = parser.get_optional("maxRows", [int])
        is_root = parser.get_optional("isRoot", [bool], False)
        indexes_json = parser.get_optional("indexes", [list], [])
        extensions = parser.get_optional("extensions", [dict], {}) if allow_extensions else {}
        parser.finish()
        if max_rows is None:
            max_rows = sys.maxsize
        elif max_rows <= 0:
            raise error.Error("maxRows must be at least 1", json)
        if not columns_json:
            raise error.Error("table must have at least one column", json)
        columns = {}
        for column_name, column_json in columns_json.items():
            _check_id(column_name, json)
            columns[column_name] = ColumnSchema.from_json(column_json, column_name, allow_extensions)
        indexes = []
        for index_json in indexes_json:
            index = column_set_from_json(index_json, columns)
            if not index:
                raise error.Error("index must have at least one column", json)
            if len(index) == 1:
                index[0].unique = True
            for column in index:
                if not column.persistent:
                    raise error.Error(f"ephemeral columns (such as {column.name}) may not be indexed", json)
            indexes.append(index)
        return TableSchema(name, columns, mutable, max_rows, is_root, indexes, extensions)

    def to_json(self, default_is_root=False):
        """The schema as JSON; "isRoot" only if it is not 'default_is_root'."""
        json = {}
        if not self.mutable:
            json["mutable"] = False
        if default_is_root != self.is_root:
            json["isRoot"] = self.is_root
        json["columns"] = {c.name: c.to_json() for c in self.columns.values() if not c.name.startswith("_")}
        if self.max_rows != sys.maxsize:
            json["maxRows"] = self.max_rows
        if self.indexes:
            json["indexes"] = [[column.name for column in index] for index in self.indexes]
        return json


class ColumnSchema:
    def __init__(self, name, mutable, persistent, type_, extensions=None):
        self.name = name
        self.mutable = mutable
        self.persistent = persistent
        self.type = type_
        self.extensions = extensions or {}
        self.unique = False

    @staticmethod
    def from_json(json, name, allow_extensions=False):
        parser = ovs.db.parser.Parser(json, f"schema for column {name}")
        mutable = parser.get_optional("mutable", [bool], True)
        ephemeral = parser.get_optional("ephemeral", [bool], False)
        type_ = ovs.db.types.Type.from_json(parser.get("type", [dict, str]))
        extensions = parser.get_optional("extensions", [dict], {}) if allow_extensions else {}
        parser.finish()
        if not mutable and (type_.key.is_weak_ref() or (type_.value and type_.value.is_weak_ref())):
            # The server removes weak references by itself.
            mutable = True
        return ColumnSchema(name, mutable, not ephemeral, type_, extensions)

    def to_json(self):
        json = {"extensions": self.extensions} if self.extensions else {}
        json["type"] = self.type.to_json()
        if not self.mutable:
            json["mutable"] = False
        if not self.persistent:
            json["ephemeral"] = True
        return json


def column_set_from_json(json, columns):
    """The columns of a <column-set>: a list of names, or None for all."""
    if json is None:
        return list(columns.values())
    if not isinstance(json, list):
        raise error.Error("array of distinct column names expected", json)
    for name in json:
        if not isinstance(name, str):
            raise error.Error("array of distinct column names expected", json)
        if name not in columns:
            raise error.Error(f"{name} is not a valid column name", json)
    if len(set(json)) != len(json):
        raise error.Error("array of distinct column names expected", json)
    return [columns[name] for name in json]
