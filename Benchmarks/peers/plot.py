"""The rates of all servers beside TensorFlow's own, as a drawing in SVG."""

from html import escape

from peers.table import Report, Row, Section, number

WIDTH, LABEL, BAR, LINE, HEAD, GAP = 920, 270, 450, 20, 34, 18
COLOURS = {"limit": "#9aa5b1", "Martlet": "#d9480f", "peer": "#4a7fb5"}
FONT = "font-family='system-ui, sans-serif'"


def draw(report: Report) -> str:
    """A panel a model; each bar is a row's median, the thin line its range."""
    parts: list[str] = []
    top = GAP + 24
    for section in report.sections:
        rows = section.measured()
        if rows:
            parts += panel(section, rows, top)
            top += HEAD + LINE * len(rows) + GAP
    title = "Requests a second, and the share of TensorFlow's C API with its default threads"
    head = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{top}' "
        f"viewBox='0 0 {WIDTH} {top}' {FONT} font-size='12'>"
        f"<rect width='100%' height='100%' fill='#ffffff'/>"
        f"<text x='16' y='26' font-size='15' font-weight='600' fill='#1f2933'>{title}</text>"
    )
    return "\n".join([head, *parts, "</svg>"]) + "\n"


def panel(section: Section, rows: list[Row], top: float) -> list[str]:
    """One model."""
    largest = max(each.rate for row in rows for each in row.rounds)
    middle = top + HEAD - 12
    title = f"{section.title}, {section.connections} connections"
    lines = [f"<text x='16' y='{middle}' font-weight='600' fill='#1f2933'>{escape(title)}</text>"]
    for index, row in enumerate(rows):
        lines += bar(row, top + HEAD + LINE * index, largest)
    return lines


def bar(row: Row, top: float, largest: float) -> list[str]:
    """One row: its name, its bar, its numbers."""
    length = max(1.0, BAR * row.rate / largest)
    ends = [LABEL + BAR * rate / largest for rate in sorted(each.rate for each in row.rounds)]
    share = row.share_of(row.reference)
    words = number(row.rate) + (f" · {share}" if share else "")
    middle = top + LINE / 2
    beyond = max(LABEL + length, ends[-1]) + 8
    return [
        f"<text x='{LABEL - 8}' y='{middle + 4}' text-anchor='end' fill='#323f4b'>"
        f"{escape(row.title)}</text>",
        f"<rect x='{LABEL}' y='{top + 3}' width='{length:.1f}' height='{LINE - 6}' rx='2' "
        f"fill='{colour(row)}'/>",
        f"<line x1='{ends[0]:.1f}' x2='{ends[-1]:.1f}' y1='{middle}' y2='{middle}' "
        f"stroke='#1f2933' stroke-width='1.5'/>",
        f"<text x='{beyond:.1f}' y='{middle + 4}' fill='#52606d'>{words}</text>",
    ]


def colour(row: Row) -> str:
    """Engines alone are grey, Martlet stands out."""
    if not row.protocol:
        return COLOURS["limit"]
    return COLOURS.get(row.server, COLOURS["peer"])
