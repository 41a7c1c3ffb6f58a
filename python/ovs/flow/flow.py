"""What flows of all kinds have in common."""
from ovs.flow.kv import KVParser


class Section:
    """A part of a flow: info, match, actions.

    name     of the section
    pos      where it begins in the flow's text
    string   its text
    data     list of KeyValue
    is_list  whether keys may come twice, so that it is a list of dictionaries"""

    def __init__(self, name, pos, string, data, is_list=False):
        self.name = name
        self.pos = pos
        self.string = string
        self.data = data
        self.is_list = is_list

    def __str__(self):
        return f"{self.name} (at {self.pos}): {self.string}: {self.format_data()}"

    def __repr__(self):
        return f"Section('{self}')"

    def dict(self):
        return {self.name: self.format_data()}

    def format_data(self):
        if self.is_list:
            return [{kv.key: kv.value} for kv in self.data]
        return {kv.key: kv.value for kv in self.data}


class Flow:
    """Sections; each is an attribute NAME, as dictionary or list, and NAME_kv, as list of KeyValue.

    orig  the text
    id    whatever the program knows it by"""

    def __init__(self, sections, orig="", id=None):  # pylint: disable=redefined-builtin
        self._sections = sections
        self._orig = orig
        self._id = id
        for section in sections:
            setattr(self, section.name, self.section(section.name).format_data())
            setattr(self, section.name + "_kv", section.data)

    def section(self, name):
        """The section of this name, or None."""
        return next((section for section in self._sections if section.name == name), None)

    @property
    def id(self):
        return self._id

    @property
    def sections(self):
        return self._sections

    @property
    def orig(self):
        return self._orig

    def dict(self):
        """All of it, with 'orig' and, if there is one, 'id'."""
        out = {"orig": self._orig}
        if self._id is not None:
            out["id"] = self._id
        for section in self._sections:
            out |= section.dict()
        return out

    def to_string(self):
        return self._orig

    def __str__(self):
        return self._orig


def parse_section(name, pos, string, decoders, is_list=False):
    """The section whose text is 'string'."""
    parser = KVParser(string, decoders)
    parser.parse()
    return Section(name, pos, string, parser.kv(), is_list)
