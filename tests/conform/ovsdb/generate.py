"""Random schemas, and transactions for them: mostly such as are carried out, some that are refused.

A Schema draws from a random.Random, so that a seed makes the same again.  Values come from small sets, so that rows,
indexes, references and conditions meet.  Rows are inserted with UUIDs that the generator chooses, so that both sides
have the same."""
import json

ATOMIC = ['integer', 'real', 'boolean', 'string', 'uuid']
INTEGERS = [-3, -1, 0, 1, 2, 3, 5, 8, 12, 2**31, 2**53 + 1, 2**63 - 1, -2**63]
REALS = [-2.5, -1, 0, 0.1, 0.5, 1, 1.5, 2.25, 3, 1e-7, 1e15, 1e22, 123456.789]
STRINGS = ['', 'a', 'b', 'ab', 'abc', 'xyz', 'hello', '\u00e9', '\U0001f600', 'a\n"\\', 'x1']
FUNCTIONS = ['==', '!=', 'includes', 'excludes', '<', '<=', '>', '>=']
MUTATORS = ['+=', '-=', '*=', '/=', '%=', 'insert', 'delete']


def uuid_of(n):
    return '%08x-0000-4000-8000-%012x' % (n * 2654435761 % 2**32, n)


class Schema:
    def __init__(self, rand, references=True):
        self.rand = rand
        self.names = ['T%d' % i for i in range(rand.randint(2, 4))]
        self.references = references
        self.made = 0  # Rows with UUIDs so far.
        self.tables = {name: self.table() for name in self.names}
        self.rows = {name: [] for name in self.names}

    def text(self):
        return json.dumps({'name': 'T', 'version': '1.2.3', 'tables': self.tables})

    # Types.

    def base(self):
        r = self.rand
        kind = r.choice(ATOMIC)
        base = {'type': kind}
        limit = r.random() < .35
        if kind == 'integer' and limit:
            base.update({'minInteger': r.randint(-2, 1)} if r.random() < .7 else {},
                        **({'maxInteger': r.randint(3, 9)} if r.random() < .7 else {}))
        elif kind == 'real' and limit:
            base.update({'minReal': r.choice([-1, 0, .5])} if r.random() < .7 else {},
                        **({'maxReal': r.choice([2.25, 3, 9])} if r.random() < .7 else {}))
        elif kind == 'string' and limit:
            base.update({'minLength': r.randint(0, 2)} if r.random() < .5 else {},
                        **({'maxLength': r.randint(2, 4)} if r.random() < .7 else {}))
        elif kind == 'uuid' and self.references and r.random() < .8:
            base['refTable'] = r.choice(self.names)
            if r.random() < .5:
                base['refType'] = r.choice(['weak', 'weak', 'strong'])
        if kind != 'uuid' and not limit and r.random() < .2:
            pool = {'integer': INTEGERS, 'real': REALS, 'boolean': [True, False], 'string': STRINGS}[kind]
            base['enum'] = ['set', r.sample(pool, min(len(pool), r.randint(1, 4)))]
        return kind if len(base) == 1 and r.random() < .7 else base

    def column(self):
        r = self.rand
        base = self.base()
        if isinstance(base, str) and r.random() < .5:
            kind = base
        else:
            kind = {'key': base}
            if r.random() < .4:
                kind['value'] = self.base()
            kind['min'] = r.choice([0, 0, 0, 1])
            kind['max'] = r.choice([1, 2, 3, 'unlimited', 'unlimited'])
        column = {'type': kind}
        if r.random() < .1:
            column['ephemeral'] = True
        if r.random() < .1:
            column['mutable'] = False
        return column

    def table(self):
        r = self.rand
        table = {'columns': {'c%d' % i: self.column() for i in range(r.randint(3, 7))}}
        if r.random() < .7:
            table['isRoot'] = True
        if r.random() < .15:
            table['maxRows'] = r.randint(2, 5)
        lasting = [c for c, column in table['columns'].items() if not column.get('ephemeral')]
        if r.random() < .35 and lasting:
            table['indexes'] = [r.sample(lasting, min(len(lasting), r.randint(1, 2)))]
        return table

    # Values.

    def atom(self, base, named):
        r = self.rand
        base = {'type': base} if isinstance(base, str) else base
        if r.random() < .01:
            return r.choice([None, 'z', 77, 1.25, True, ['uuid', uuid_of(0)], ['uuid', 'x'], [], {}, ['set', []]])
        if 'enum' in base and r.random() < .93:
            return r.choice(base['enum'][1])
        kind = base['type']
        if kind == 'uuid':
            known = self.rows.get(base.get('refTable'), [])
            if named and r.random() < .5:
                return ['named-uuid', r.choice(named)]
            return ['uuid', r.choice(known)] if known and r.random() < .93 else ['uuid', uuid_of(r.randint(0, 9))]
        if kind == 'boolean':
            return r.random() < .5
        pool = {'integer': INTEGERS, 'real': REALS, 'string': STRINGS}[kind]
        for _ in range(8):
            value = r.choice(pool)
            size = len(value) if kind == 'string' else value
            suffix = {'integer': 'Integer', 'real': 'Real', 'string': 'Length'}[kind]
            if base.get('min' + suffix, size) <= size <= base.get('max' + suffix, size):
                break
        return value

    def value(self, column, named=(), sizes=None):
        """A datum that mostly fits the column, or with `sizes` one of as many elements."""
        r = self.rand
        kind = self_type(column)
        if sizes is None:
            most = 4 if kind['max'] == 'unlimited' else kind['max']
            sizes = (kind['min'], most) if r.random() < .97 else (0, 4)
        n = r.randint(*sizes)
        keys = []
        for _ in range(n):
            key = self.atom(kind['key'], named)
            if key not in keys or r.random() < .02:
                keys.append(key)
        if 'value' in kind:
            return ['map', [[k, self.atom(kind['value'], named)] for k in keys]]
        return keys[0] if len(keys) == 1 and r.random() < .8 else ['set', keys]

    def row(self, table, named=(), share=.6):
        return {c: self.value(column, named) for c, column in self.tables[table]['columns'].items()
                if self.rand.random() < share}

    # Operations.

    def condition(self, table):
        r = self.rand
        if self.rows[table] and r.random() < .35:
            return ['_uuid', r.choice(['==', '==', '==', '!=', 'includes', 'excludes']),
                    ['uuid', r.choice(self.rows[table])]]
        name = r.choice(list(self.tables[table]['columns']))
        return [name, r.choice(FUNCTIONS), self.value(self.tables[table]['columns'][name], (), (0, 3)
                                                      if r.random() < .3 else None)]

    def where(self, table, most=2):
        return [self.condition(table) for _ in range(self.rand.randint(0, most))]

    def mutation(self, table, named):
        r = self.rand
        name = r.choice(list(self.tables[table]['columns']))
        column = self.tables[table]['columns'][name]
        kind = self_type(column)
        numeric = kind['key'] in ('integer', 'real') or \
            isinstance(kind['key'], dict) and kind['key']['type'] in ('integer', 'real')
        if (numeric and 'value' not in kind and r.random() < .5) or r.random() < .05:
            return [name, r.choice(MUTATORS[:5]), r.choice([0, 1, 2, 3, -1, 7, 2**62, .5, 1e300, '1'])]
        mutator = r.choice(MUTATORS[5:])
        if mutator == 'delete' and 'value' in kind and r.random() < .5:
            return [name, mutator, self.value({'type': {'key': kind['key'], 'min': 0, 'max': 3}}, named, (0, 3))]
        return [name, mutator, self.value(column, named, (0, 3))]

    def operation(self, named):
        """One operation, which may refer to the rows that the transaction calls `named`."""
        r = self.rand
        table = r.choice(self.names)
        kind = r.choices(['insert', 'select', 'update', 'mutate', 'delete', 'wait', 'comment', 'commit', 'abort',
                          'assert'], [34, 10, 18, 22, 7, 5, 1, 1, .4, .4])[0]
        op = {'op': kind}
        if kind in ('insert', 'select', 'update', 'mutate', 'delete', 'wait'):
            op['table'] = table
        if kind == 'insert':
            op['row'] = self.row(table, named)
            self.made += 1
            op['uuid'] = uuid_of(self.made)
            self.rows[table].append(op['uuid'])
        elif kind in ('select', 'update', 'mutate', 'delete', 'wait'):
            op['where'] = self.where(table, 1 if kind != 'select' else 2)
        if kind in ('select', 'wait'):
            columns = list(self.tables[table]['columns'])
            if kind == 'wait' or r.random() < .5:
                op['columns'] = r.sample(columns, r.randint(1, len(columns)))
            else:
                op['columns'] = columns + ['_uuid']
        if kind == 'update':
            op['row'] = self.row(table, named, .3)
        elif kind == 'mutate':
            op['mutations'] = [self.mutation(table, named) for _ in range(r.randint(1, 3))]
        elif kind == 'wait':
            rows = [{c: self.value(self.tables[table]['columns'][c]) for c in op['columns']}
                    for _ in range(r.randint(0, 2))]
            op.update({'until': r.choice(['==', '!=', '!=']), 'rows': rows, 'timeout': r.choice([0, 0, 0, 0, 1, 3])})
        elif kind == 'comment':
            op['comment'] = r.choice(STRINGS)
        elif kind == 'commit':
            op['durable'] = r.random() < .5
        elif kind == 'assert':
            op['lock'] = 'l'
        if r.random() < .01 and kind != 'insert':
            op.pop(r.choice(list(op)))
        elif r.random() < .005:
            op['spare'] = 1
        return op

    def transaction(self):
        """Operations, of which later ones refer to rows of earlier ones by name.

        A name that is used before its row stands for a random UUID if the row has one of its own: not here."""
        operations, named = [], []
        for _ in range(self.rand.choice([1, 1, 1, 2, 2, 3, 4, 6])):
            op = self.operation(named)
            if op.get('op') == 'insert' and self.rand.random() < .5:
                op['uuid-name'] = 'n%d' % len(named)
                named.append(op['uuid-name'])
            operations.append(op)
        return operations

    def waiting(self, contents):
        """A transaction that waits, mostly for a change that other ones may make, before or amid other operations.

        `contents` are the rows of each table now."""
        r = self.rand
        table = r.choice(self.names)
        name = r.choice(list(self.tables[table]['columns']))
        op = {'op': 'wait', 'table': table, 'until': r.choice(['==', '!='])}
        if r.random() < .5:
            columns = ['_uuid', name] if r.random() < .7 else [name]
            op.update(where=[], columns=columns, until='!=',
                      rows=[{c: row[c] for c in columns} for row in contents[table]])
        elif self.rows[table] and r.random() < .7:
            row = ['uuid', r.choice(self.rows[table])]
            op.update(where=[['_uuid', '==', row]], columns=['_uuid'], rows=r.choice([[], [{'_uuid': row}]]))
        else:
            op.update(where=self.where(table), columns=[name],
                      rows=[{name: self.value(self.tables[table]['columns'][name])} for _ in range(r.randint(0, 2))])
        if r.random() < .5:
            op['timeout'] = 600000
        operations = self.transaction() if r.random() < .7 else []
        operations.insert(r.randint(0, len(operations)), op)
        return operations

    def everything(self):
        """Selects all there is."""
        return [{'op': 'select', 'table': t, 'where': [], 'columns': ['_uuid', *self.tables[t]['columns']]}
                for t in self.names]

    def lasting(self):
        """The same without ephemeral columns."""
        return [{**op, 'columns': [c for c in op['columns'] if not
                                   self.tables[op['table']]['columns'].get(c, {}).get('ephemeral')]}
                for op in self.everything()]

    def monitors(self):
        """The <monitor-cond-requests> of a client that sees parts."""
        r = self.rand
        requests = {}
        for t in self.names:
            if r.random() < .8:
                columns = list(self.tables[t]['columns'])
                requests[t] = [{'columns': r.sample(columns, r.randint(1, len(columns)))}]
                if r.random() < .6:
                    requests[t][0]['where'] = [c for c in self.where(t, 3)]
                if r.random() < .3:
                    requests[t][0]['select'] = {s: r.random() < .6 for s in ('initial', 'insert', 'delete', 'modify')}
        return requests


def self_type(column):
    """The type of a column with all its members."""
    kind = column['type']
    if isinstance(kind, str):
        kind = {'key': kind}
    return {'min': 1, 'max': 1, **kind}
