"""What networks read and give, as the metadata `networks` of a file say it (docs/formats.md)."""

from __future__ import annotations

import re
from typing import NamedTuple

_LINE = re.compile(r"(\S+):((?: \S+ \d+)+) -> (\d+)(?:, (\d+) of them)?")


class Network(NamedTuple):
    inputs: dict[str, int]  # widths by name, in the order of the first layer's rows
    outputs: int
    count: int = 1  # networks of this name; if several, their tensors have it as the leading dimension

    def rows_of(self, name: str) -> slice:
        """Which rows of the first layer's weights an input meets."""
        names, widths = list(self.inputs), list(self.inputs.values())
        first = sum(widths[: names.index(name)])
        return slice(first, first + self.inputs[name])


def parse_networks(text: str) -> dict[str, Network]:
    """Networks by name. Raises ValueError for a line of another form."""
    networks = {}
    for line in text.splitlines():
        found = _LINE.fullmatch(line)
        if found is None:
            raise ValueError(f"`networks` has the line `{line[:100]}`, not `NAME: INPUT WIDTH ... -> WIDTH`")
        name, inputs, outputs, count = found.groups()
        words = inputs.split()
        widths = {input_name: int(width) for input_name, width in zip(words[::2], words[1::2])}
        networks[name] = Network(widths, int(outputs), int(count or 1))
    return networks
