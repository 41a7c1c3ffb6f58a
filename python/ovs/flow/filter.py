"""Filters of flows: "table=3 and (nw_src~=10.1.1.1 or ct.zone>4) and not drop"."""
import operator

import pyparsing as pp
import netaddr

from ovs.flow.decoders import Decoder, decode_default, decode_int


class EvaluationResult:
    """Whether it holds ('result'), and the KeyValues that were looked at ('kv')."""

    def __init__(self, result, *kv):
        self.result = result
        self.kv = list(kv)

    def __and__(self, other):
        return EvaluationResult(self.result and other.result, *self.kv, *other.kv)

    def __or__(self, other):
        return EvaluationResult(self.result or other.result, *self.kv, *other.kv)

    def __invert__(self):
        return EvaluationResult(not self.result, *self.kv)

    def __bool__(self):
        return bool(self.result)

    def __repr__(self):
        return f"{self.result} [{', '.join(map(str, self.kv))}]"


def _contains(a, b):
    try:
        return b in a
    except TypeError:
        return a == b


class ClauseExpression:
    """FIELD, or FIELD OPERATOR VALUE.  FIELD may be a way into a value: ct.zone."""

    operators = {"=": operator.eq, "!=": operator.ne, "<": operator.lt, ">": operator.gt, "~=": _contains}
    type_decoders = {int: decode_int, float: float, bool: bool, netaddr.IPAddress: netaddr.IPAddress,
                     netaddr.EUI: netaddr.EUI}

    def __init__(self, tokens):
        self.field = tokens[0]
        self.operator = tokens[1] if len(tokens) > 1 else ""
        self.value = tokens[2] if len(tokens) > 2 else ""

    def __repr__(self):
        return f"{type(self).__name__}(field: {self.field}, operator: {self.operator}, value: {self.value})"

    def _find(self, value, path):
        """All values at the end of the way."""
        if not path:
            yield value
        elif isinstance(value, dict) and path[0] in value:
            yield from self._find(value[path[0]], path[1:])
        elif isinstance(value, list):
            for element in value:
                yield from self._find(element, path)

    def _holds(self, value):
        if not self.operator:
            return bool(value) or value == 0 and not isinstance(value, bool)
        if isinstance(value, Decoder):
            # Comparing integers by size is about the value, also with a mask.
            if self.operator in "<>" and hasattr(value, "value"):
                return self.operators[self.operator](value.value, decode_int(self.value))
            return self.operators[self.operator](value, type(value)(self.value))
        decode = self.type_decoders.get(type(value), decode_default if isinstance(value, (dict, list)) else str)
        return self.operators[self.operator](value, decode(self.value))

    def evaluate(self, flow):
        """The result for what the flow has first: in info, match, actions."""
        name, *path = self.field.split(".")
        seen = []
        for section in flow.sections:
            for kv in section.data:
                if kv.key != name:
                    continue
                seen.append(kv)
                if any(self._holds(v) for v in self._find(kv.value, path)):
                    return EvaluationResult(True, kv)
        return EvaluationResult(False, *seen)


class BoolNot:
    def __init__(self, t):
        (self.arg,) = t[0][1:]

    def __repr__(self):
        return f"NOT({self.arg})"

    def evaluate(self, flow):
        return ~self.arg.evaluate(flow)


class BoolAnd:
    def __init__(self, pattern):
        self.args = pattern[0][0::2]

    def __repr__(self):
        return f"AND({self.args})"

    def evaluate(self, flow):
        out = EvaluationResult(True)
        for arg in self.args:
            out &= arg.evaluate(flow)
            if not out:
                break
        return out


class BoolOr:
    def __init__(self, pattern):
        self.args = pattern[0][0::2]

    def __repr__(self):
        return f"OR({self.args})"

    def evaluate(self, flow):
        out = EvaluationResult(False)
        for arg in self.args:
            out |= arg.evaluate(flow)
            if out:
                break
        return out


class OFFilter:
    """Clauses with and, or, not (or &&, ||, !) and parentheses.  pyparsing.ParseException: it is no filter."""

    w = pp.Word(pp.alphanums + "." + ":" + "_" + "/" + "-" + "+" + "|" + "*")
    operators = pp.one_of(list(ClauseExpression.operators))
    _keyword = pp.one_of("and or not", as_keyword=True)
    clause = ((~_keyword + w) + operators + w) | (~_keyword + w)
    clause.set_parse_action(ClauseExpression)
    statement = pp.infix_notation(clause, [
        (pp.one_of("! not"), 1, pp.OpAssoc.RIGHT, BoolNot),
        (pp.one_of("&& and"), 2, pp.OpAssoc.LEFT, BoolAnd),
        (pp.one_of("|| or"), 2, pp.OpAssoc.LEFT, BoolOr),
    ])

    def __init__(self, expr):
        self._filter = self.statement.parse_string(expr, parse_all=True)

    def evaluate(self, flow):
        """An EvaluationResult."""
        return self._filter[0].evaluate(flow)
