"""SchemaHelper (ovs.db.idl is the interface)."""
import ovs.db.schema
import ovs.dirs
import ovs.json
from ovs.db import error


class SchemaHelper:
    """Makes the schema for an Idl: of the schema in the file 'location' (by default that of the switch), or in
    'schema_json', the tables and columns that the program registers."""

    def __init__(self, location=None, schema_json=None):
        if location and schema_json:
            raise ValueError("both location and schema_json can't be specified. it's ambiguous.")
        if schema_json is None:
            if location is None:
                location = f"{ovs.dirs.PKGDATADIR}/vswitch.ovsschema"
            schema_json = ovs.json.from_file(location)
            if isinstance(schema_json, str):
                raise error.Error(schema_json)
        self.schema_json = schema_json
        self._tables = {}     # Table to its columns; None: all.
        self._readonly = {}   # Table to columns that are only fetched on demand.
        self._all = False

    def register_columns(self, table, columns, readonly=()):
        """Asks for 'columns' of 'table'; those of them in 'readonly' are not replicated, Row.fetch() gets them."""
        assert isinstance(table, str) and isinstance(columns, (list, tuple))
        if self._tables.get(table, ()) is not None:
            self._tables[table] = sorted(set(columns) | set(self._tables.get(table, ())))
        self._readonly[table] = list(readonly)

    def register_table(self, table):
        """Asks for all columns of 'table'."""
        assert isinstance(table, str)
        self._tables[table] = None

    def register_all(self):
        """Asks for all columns of all tables."""
        self._all = True

    def get_idl_schema(self):
        """The schema that is left; the whole must have everything that was registered."""
        schema = ovs.db.schema.DbSchema.from_json(self.schema_json)
        if not self._all:
            for name in self._tables:
                assert name in schema.tables, f"no table {name}"
            schema.tables = {name: self._keep_table_columns(schema, name, columns)
                             for name, columns in self._tables.items()}
        schema.readonly = self._readonly
        return schema

    def _keep_table_columns(self, schema, table_name, columns):
        table = schema.tables[table_name]
        if columns is not None:
            for name in columns:
                assert name in table.columns, f"no column {name} in table {table_name}"
            table.columns = {name: table.columns[name] for name in columns}
        return table
