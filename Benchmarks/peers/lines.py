"""Curves over time, as a drawing in SVG."""

from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BELOW = 760, 170, 70, 20, 34, 30
FONT = "font-family='system-ui, sans-serif' font-size='12'"


@dataclass(frozen=True)
class Panel:
    """One curve, a value a window."""

    title: str
    values: list[float]


def draw(panels: list[Panel], seconds: float) -> str:
    """The curves, one below the other, from zero up."""
    height = (HEIGHT + TOP + BELOW) * len(panels)
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{height}' "
        f"viewBox='0 0 {WIDTH} {height}' {FONT}>",
        "<rect width='100%' height='100%' fill='#ffffff'/>",
    ]
    for index, panel in enumerate(panels):
        parts += curve(panel, seconds, index * (HEIGHT + TOP + BELOW) + TOP)
    return "\n".join([*parts, "</svg>"]) + "\n"


def curve(panel: Panel, seconds: float, top: float) -> list[str]:
    """One curve with its axes."""
    largest = max(panel.values) * 1.1 or 1.0
    bottom, right = top + HEIGHT, WIDTH - RIGHT
    step = (right - LEFT) / max(1, len(panel.values))
    points = " ".join(
        f"{LEFT + step * (index + 1):.1f},{bottom - HEIGHT * value / largest:.1f}"
        for index, value in enumerate(panel.values)
    )
    end = seconds * len(panel.values)
    return [
        f"<text x='{LEFT}' y='{top - 10}' font-weight='600' fill='#1f2933'>"
        f"{escape(panel.title)}</text>",
        *(gridline(bottom, share, largest) for share in (0.0, 0.5, 1.0)),
        f"<polyline points='{points}' fill='none' stroke='#d9480f' stroke-width='2'/>",
        f"<text x='{LEFT}' y='{bottom + 18}' fill='#52606d'>0 s</text>",
        f"<text x='{right}' y='{bottom + 18}' text-anchor='end' fill='#52606d'>{end:g} s</text>",
    ]


def gridline(bottom: float, share: float, largest: float) -> str:
    """A line across, with its value."""
    middle = bottom - HEIGHT * share
    return (
        f"<line x1='{LEFT}' x2='{WIDTH - RIGHT}' y1='{middle}' y2='{middle}' stroke='#e4e7eb'/>"
        f"<text x='{LEFT - 8}' y='{middle + 4}' text-anchor='end' fill='#52606d'>"
        f"{largest * share:.3g}</text>"
    )
