"""The six velocity components and the feature error over the frames, as an SVG document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

from .result import JobParameters, JobResult

_WIDTH, _HEIGHT = 960, 908
_LEFT, _RIGHT = 76, _WIDTH - 24
_PANEL_HEIGHT = 200
_TOPS = (104, 376, 648)
#: Colours that people with any kind of colour vision can tell apart (Okabe & Ito, 2008).
_COLORS = ("#d55e00", "#009e73", "#0072b2")
_ERROR_COLOR = "#24292f"
_MISSING_COLOR = "#8250df"
#: Below this no component is worth an axis of its own: a curve of rounding errors would look like motion.
_SMALLEST_SPAN = 1e-6

Values = Sequence[float | None]


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float
    ticks: list[float]
    decimals: int

    def place(self, value: float, start: float, end: float) -> float:
        return start + (value - self.low) / (self.high - self.low) * (end - start)


def velocity_plot(parameters: JobParameters, result: JobResult) -> str:
    """Three panels with a common frame axis; 960 x 908. Curves are broken at frames without a velocity, which are marked.

    Long videos are thinned to the extremes of every pixel column, so the size stays bounded and no peak is lost.
    """
    rows = [None if frame.problem is not None else frame.velocity for frame in result.frames]
    frames = [parameters.frame_of(row) for row in range(len(rows))]
    component = [[None if row is None else row[k] for row in rows] for k in range(6)]
    title = f"Velocity towards goal frame {parameters.goal_frame} ({parameters.detector}, {parameters.policy.upper()})"
    missing = [frame for frame, row in zip(frames, rows, strict=True) if row is None]
    axis = _axis(frames[0], max(frames[-1], frames[0] + 1), 10, outward=False)
    panels = (
        ("Linear velocity (m/s)", list(zip(("vx", "vy", "vz"), _COLORS, component[:3], strict=True))),
        ("Angular velocity (rad/s)", list(zip(("ωx", "ωy", "ωz"), _COLORS, component[3:], strict=True))),
        (
            "Feature error: distance of the inliers from their goal (px)",
            [("RMS", _ERROR_COLOR, [frame.feature_error_px for frame in result.frames])],
        ),
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}"'
        ' font-family="system-ui, -apple-system, \'Segoe UI\', Helvetica, Arial, sans-serif" font-size="12">\n',
        f"<title>{escape(title)}</title>\n",
        '<rect width="100%" height="100%" fill="#ffffff"/>\n',
        f'<text x="{_LEFT}" y="36" font-size="17" font-weight="600" fill="#1c2128">{escape(title)}</text>\n',
    ]
    if missing:
        plural = "frame" if len(missing) == 1 else "frames"
        parts.append(f'<path d="M{_LEFT + 2} 62v-7" stroke="{_MISSING_COLOR}" stroke-width="2"/>')
        parts.append(_text(_LEFT + 12, 62, f"{len(missing)} {plural} without a velocity", "start", "#32383f"))
    for top, (heading, curves) in zip(_TOPS, panels, strict=True):
        parts += _panel(top, heading, curves, frames, missing, axis)
    parts += [_text((_LEFT + _RIGHT) / 2, _HEIGHT - 16, "Frame", "middle", "#57606a"), "</svg>\n"]
    return "".join(parts)


def _panel(
    top: float,
    heading: str,
    curves: Sequence[tuple[str, str, Values]],
    frames: Sequence[int],
    missing: Sequence[int],
    frame_axis: _Axis,
) -> list[str]:
    bottom = top + _PANEL_HEIGHT
    known = [value for _, _, values in curves for value in values if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    low, high = min(low, 0.0), max(high, 0.0)
    values_axis = _axis(-1, 1, 4) if high - low < _SMALLEST_SPAN else _axis(low, high, 5)

    def across(frame: float) -> float:
        return frame_axis.place(frame, _LEFT, _RIGHT)

    def up(value: float) -> float:
        return values_axis.place(value, bottom, top)

    parts = [f'<text x="{_LEFT}" y="{top - 14}" font-size="13" font-weight="600" fill="#32383f">{heading}</text>\n']
    for tick in frame_axis.ticks:
        parts.append(_line(across(tick), top, across(tick), bottom, "#f0f2f4"))
        parts.append(_text(across(tick), bottom + 20, str(round(tick)), "middle", "#57606a"))
    for tick in values_axis.ticks:
        is_zero = abs(tick) < 1e-12
        label = "0" if is_zero else f"{tick:.{values_axis.decimals}f}".replace("-", "−")
        parts.append(_line(_LEFT, up(tick), _RIGHT, up(tick), "#8c959f" if is_zero else "#e6e9ed"))
        parts.append(_text(_LEFT - 10, up(tick) + 4, label, "end", "#57606a"))
    parts.append(_line(_LEFT, top, _LEFT, bottom, "#8c959f"))
    parts.append(_line(_LEFT, bottom, _RIGHT, bottom, "#8c959f"))
    columns = sorted({round(across(frame)) for frame in missing})
    if columns:
        marks = "".join(f"M{x} {bottom}v-7" for x in columns)
        parts.append(f'<path d="{marks}" stroke="{_MISSING_COLOR}" stroke-width="2"/>\n')
    for place, (name, color, values) in enumerate(curves):
        left = _RIGHT - (len(curves) - place) * 62 + 12
        parts.append(
            f'<line x1="{left}" y1="{top - 18}" x2="{left + 22}" y2="{top - 18}" stroke="{color}" stroke-width="2.5"/>'
        )
        parts.append(_text(left + 28, top - 14, name, "start", "#32383f"))
        runs = _unbroken(values)
        parts += [_curve([(across(frames[row]), up(values[row] or 0.0)) for row in run], color) for run in runs]
    return parts


def _unbroken(values: Values) -> list[list[int]]:
    """Rows of the stretches without a gap; of a video so long that curves are thinned, all rows with a value."""
    if len(values) > _most_points():
        return [[row for row, value in enumerate(values) if value is not None]]
    runs: list[list[int]] = []
    for row, value in enumerate(values):
        if value is None:
            continue
        if row == 0 or values[row - 1] is None:
            runs.append([])
        runs[-1].append(row)
    return runs


def _most_points() -> int:
    return 2 * (_RIGHT - _LEFT)


def _curve(points: Sequence[tuple[float, float]], color: str) -> str:
    if not points:
        return ""
    if len(points) == 1:
        x, y = points[0]
        return f'<circle cx="{x:.2f}" cy="{y:.2f}" r="3" fill="{color}"/>\n'
    text = " ".join(f"{x:.2f},{y:.2f}" for x, y in _thinned(points))
    return f'<polyline points="{text}" fill="none" stroke="{color}" stroke-width="1.8" stroke-linejoin="round"/>\n'


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """All points, or of each pixel column the first, lowest, highest and last."""
    if len(points) <= _most_points():
        return list(points)
    columns: dict[int, list[int]] = {}
    for place, (x, _) in enumerate(points):
        columns.setdefault(floor(x), []).append(place)
    kept: list[tuple[float, float]] = []
    for places in columns.values():
        heights = sorted(places, key=lambda place: points[place][1])
        kept += [points[place] for place in sorted({places[0], heights[0], heights[-1], places[-1]})]
    return kept


def _axis(low: float, high: float, steps: int, *, outward: bool = True) -> _Axis:
    """Round ticks, 1, 2 or 5 times a power of ten apart; it starts and ends on one, or spans exactly the given range."""
    raw = (high - low) / steps
    power = 10.0 ** floor(log10(raw))
    step = next(factor for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999) * power
    if outward:
        first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
        low, high = first * step, max(last, first + 1) * step
    else:
        step = max(step, 1.0)
        first, last = ceil(low / step), floor(high / step)
    ticks = [k * step for k in range(first, last + 1)]
    return _Axis(low, high, ticks, max(0, -floor(log10(step) + 1e-9)))


def _line(x1: float, y1: float, x2: float, y2: float, color: str) -> str:
    return f'<line x1="{x1:.2f}" y1="{y1:.2f}" x2="{x2:.2f}" y2="{y2:.2f}" stroke="{color}"/>\n'


def _text(x: float, y: float, content: str, anchor: str, color: str) -> str:
    return f'<text x="{x:.2f}" y="{y:.2f}" text-anchor="{anchor}" fill="{color}">{content}</text>\n'
