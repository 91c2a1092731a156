"""Tables of label, value and note, as text for a terminal of 80 columns or as Markdown."""

import textwrap

_WIDTH = 80


def text(rows):
    """Formats rows as aligned columns; long cells wrap in their column."""
    first = max(len(label) for label, _, _ in rows) + 2
    short = [value for _, value, note in rows if note]
    second = max((len(value) for value in short if len(value) < 24), default=0) + 2
    lines = []
    for label, value, note in rows:
        if note and len(value) < second:
            cell, indent = f"{value:{second}}{note}", first + second
        else:
            cell, indent = value, first
        wrapped = textwrap.wrap(cell, _WIDTH - 2 - first, subsequent_indent=" " * (indent - first))
        lines += [f"  {label:{first}}{wrapped[0]}"]
        lines += [" " * (2 + first) + line for line in wrapped[1:]]
    return "\n".join(lines)


def markdown(rows):
    """Formats rows as a Markdown table without a header."""
    cells = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    return "\n".join(["| | | |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in cells)])
