"""Latency over time around a fault, on a logarithmic scale, as a drawing in SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import log10

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BELOW = 760, 120, 60, 20, 30, 26
HEAD = 44
LOW, HIGH = 1.0, 10_000.0
FONT = "font-family='system-ui, sans-serif' font-size='12'"
MEDIAN, TAIL, FAILED = "#8a94a6", "#d4572a", "#b00020"


@dataclass(frozen=True)
class Bucket:
    """The requests that were due in a stretch of time; seconds are from the fault."""

    start: float
    seconds: float
    requests: int
    failures: int
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Timeline:
    """What became of a load through a fault."""

    title: str
    buckets: Sequence[Bucket]
    # When the fault was over, in seconds from its beginning.
    healed: float


def draw(title: str, timelines: Sequence[Timeline]) -> str:
    """A panel a fault, all with the same axes; the stretch of the fault is grey."""
    height = HEAD + (HEIGHT + TOP + BELOW) * len(timelines)
    begin = min(each.buckets[0].start for each in timelines)
    end = max(each.buckets[-1].start + each.buckets[-1].seconds for each in timelines)
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{height}' "
        f"viewBox='0 0 {WIDTH} {height}' {FONT}>",
        "<rect width='100%' height='100%' fill='#ffffff'/>",
        f"<text x='{LEFT}' y='20' font-size='13' font-weight='600' fill='#1f2933'>"
        f"{escape(title)}</text>",
        *legend(),
    ]
    for index, timeline in enumerate(timelines):
        top = HEAD + index * (HEIGHT + TOP + BELOW) + TOP
        parts += panel(timeline, top, begin, end)
    return "\n".join([*parts, "</svg>"]) + "\n"


def legend() -> list[str]:
    """What the colours mean."""
    parts = []
    for x, colour, text in ((0, MEDIAN, "p50"), (60, TAIL, "p99"), (120, FAILED, "failed")):
        parts.append(
            f"<circle cx='{LEFT + x + 5}' cy='36' r='4' fill='{colour}'/>"
            f"<text x='{LEFT + x + 14}' y='40' fill='#52606d'>{text}</text>"
        )
    return parts


def panel(timeline: Timeline, top: float, begin: float, end: float) -> list[str]:
    """One fault."""
    bottom = top + HEIGHT

    def x(seconds: float) -> float:
        return LEFT + (seconds - begin) / (end - begin) * (WIDTH - LEFT - RIGHT)

    def y(milliseconds: float) -> float:
        share = log10(min(max(milliseconds, LOW), HIGH) / LOW) / log10(HIGH / LOW)
        return bottom - HEIGHT * share

    parts = [
        f"<rect x='{x(0):.1f}' y='{top}' "
        f"width='{max(1.0, x(min(timeline.healed, end)) - x(0)):.1f}' "
        f"height='{HEIGHT}' fill='#eef1f5'/>",
        f"<text x='{LEFT}' y='{top - 8}' font-weight='600' fill='#1f2933'>"
        f"{escape(timeline.title)}</text>",
    ]
    for milliseconds, label in ((1, "1 ms"), (10, "10 ms"), (100, "100 ms"), (1e3, "1 s")):
        parts.append(
            f"<line x1='{LEFT}' x2='{WIDTH - RIGHT}' y1='{y(milliseconds):.1f}' "
            f"y2='{y(milliseconds):.1f}' stroke='#dfe3ea'/>"
            f"<text x='{LEFT - 8}' y='{y(milliseconds) + 4:.1f}' text-anchor='end' "
            f"fill='#52606d'>{label}</text>"
        )
    for seconds in range(int(begin), int(end) + 1, 2):
        parts.append(
            f"<text x='{x(seconds):.1f}' y='{bottom + 16}' text-anchor='middle' "
            f"fill='#52606d'>{seconds} s</text>"
        )
    for name, colour in (("p50_ms", MEDIAN), ("p99_ms", TAIL)):
        points = " ".join(
            f"{x(each.start + each.seconds / 2):.1f},{y(getattr(each, name)):.1f}"
            for each in timeline.buckets
            if each.requests
        )
        parts.append(
            f"<polyline points='{points}' fill='none' stroke='{colour}' stroke-width='1.5'/>"
        )
    for each in timeline.buckets:
        if each.failures:
            parts.append(
                f"<rect x='{x(each.start):.1f}' y='{top}' "
                f"width='{x(each.seconds) - x(0):.1f}' height='6' fill='{FAILED}'/>"
            )
    return parts
