#!/usr/bin/env python3
"""Draws tokens per second for each amount of RAM and each speed of the drive, with lines of equal speed. Reads a plan,
or reports or the points of a sweep in which both vary; repetitions are drawn as their median."""

import math

import figure as fig  # before matplotlib: this module says what to install
from matplotlib.colors import LogNorm
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator


def grid_of(runs):
    """Returns (cache sizes, drive speeds, {(cache, speed): tok/s}), sizes and speeds ascending."""
    found = {}
    for run in runs:
        speed = run.figure("drive_bytes_per_s")
        if speed:
            found.setdefault((run.cache_bytes, nominal(speed)), []).append(run.tok_per_s)
    sizes = sorted({size for size, _ in found})
    speeds = sorted({speed for _, speed in found})
    if len(sizes) < 2 or len(speeds) < 2:
        raise fig.BadInput(f"the runs have {len(sizes)} cache sizes and {len(speeds)} speeds of the drive; "
                           "a heat map needs at least two of each")
    return sizes, speeds, {where: fig.median(values) for where, values in found.items()}


def grid_of_plan(plan):
    sizes, speeds = plan["sweep"]["memory_bytes"], plan["sweep"]["drive_bandwidth_bytes_per_s"]
    values = iter(plan["sweep"]["tok_per_s"])
    rows = [[next(values) for _ in speeds] for _ in sizes]
    # One row each is enough for memory that holds everything and for memory that is too small for the model.
    shown = [row for row in range(len(rows)) if not (row > 1 and rows[row] == rows[row - 1] == rows[row - 2])
             and not (row + 1 < len(rows) and max(rows[row + 1]) == 0)]
    found = {(sizes[row], speed): value for row in shown for speed, value in zip(speeds, rows[row]) if value > 0}
    return [sizes[row] for row in shown], speeds, found


def nominal(bytes_per_s):
    """Rounds to two digits, since the third digit of a simulated drive's speed differs from run to run."""
    return float(f"{bytes_per_s:.1e}")


def levels(values):
    """Returns 1, 2, 5, 10, … within the range. If no value lies between two levels, only the first is kept: their lines
    would coincide."""
    low, high = min(values), max(values)
    steps = [factor * 10.0**power for power in range(-3, 5) for factor in (1, 2, 5)]
    inside = [step for step in steps if low < step < high]
    if len(inside) < 3:
        inside = [low + (high - low) * part / 4 for part in (1, 2, 3)]
    kept = []
    for level in inside:
        if not kept or any(kept[-1] <= value < level for value in values):
            kept.append(level)
    return kept


def draw(options):
    first = fig.read(options.inputs[0], ["plan", "report", "point"])
    is_plan = fig.schema_of(first).startswith("spillway.plan/")
    if is_plan and len(options.inputs) > 1:
        raise fig.BadInput(f"{options.inputs[1]}: only one plan can be drawn at a time")
    sizes, speeds, speed_at = grid_of_plan(first) if is_plan else grid_of(fig.runs(options.inputs))
    rows = [[speed_at.get((size, speed), math.nan) for speed in speeds] for size in sizes]
    known = [value for value in speed_at.values() if value > 0]
    if not known:
        raise fig.BadInput("no token was decoded in any of the runs")
    figure = fig.new_figure(3.9)
    axes = figure.subplots()
    axes.grid(False)
    norm = LogNorm(min(known), max(max(known), min(known) * 1.01))
    mesh = axes.pcolormesh(range(len(speeds)), range(len(sizes)), rows, cmap="cividis", norm=norm, shading="nearest")
    add_lines(axes, [[math.nan] * len(row) if is_plan and same(row) else row for row in rows], norm)
    if is_plan:
        name_rows(axes, rows)
    if is_plan:
        mark_question(axes, first, sizes, speeds)
    axes.set_xticks(range(len(speeds)), [f"{speed / 1e9:.2g}" for speed in speeds])
    axes.set_yticks(range(len(sizes)), [f"{size / 2**30:.4g} GB" if is_plan else size_text(size) for size in sizes])
    axes.set_xlabel("drive (GB/s); star: as asked" if is_plan else "drive (GB/s)")
    # Memory is sold in powers of two under decimal names.
    axes.set_ylabel("memory" if is_plan else "RAM for experts")
    bar = figure.colorbar(mesh, ax=axes, orientation="horizontal", location="top", fraction=0.05, aspect=40, pad=0.02)
    bar.set_label("tokens per second", size=10.5)
    bar.ax.xaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5), numticks=20))
    bar.ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    bar.ax.xaxis.set_minor_locator(NullLocator())
    return figure


def size_text(size):
    return fig.bytes_text(size) if size else "none"


def dark(value, norm):
    """Returns True if text on this colour of the scale should be white."""
    return norm(value) < 0.55


def place(value, marks):
    """Returns the position of a value between marks that are evenly spaced whatever their values."""
    for index, (low, high) in enumerate(zip(marks, marks[1:])):
        if low <= value <= high:
            return index + math.log(value / low) / math.log(high / low)
    return 0 if value < marks[0] else len(marks) - 1


def mark_question(axes, plan, sizes, speeds):
    question = plan["question"]
    x = place(question["drives"] * question["drive_bandwidth_bytes_per_s"], speeds)
    y = place(plan["plan"]["memory"]["total_bytes"], sizes)
    axes.plot([x], [y], marker="*", markersize=15, color=fig.VERMILION, markeredgecolor="#fefefe", linestyle="none")


def same(row):
    """Returns True if the drive makes no difference: everything is in memory, or nothing runs."""
    return len({value for value in row if not math.isnan(value)}) < 2


def name_rows(axes, rows):
    """Labels the rows in which the drive makes no difference. Above and below them lies a step without lines."""
    middle = (len(rows[0]) - 1) / 2
    for y, row in enumerate(rows):
        if all(map(math.isnan, row)):
            axes.text(middle, y, "does not fit", ha="center", va="center", color=fig.MUTED)
    resident = [y for y, row in enumerate(rows) if same(row) and not math.isnan(row[0])]
    if resident:
        axes.text(middle, resident[-1], f"all in memory: {fig.significant(rows[resident[-1]][0])} tok/s", ha="center",
                  va="center", color="#000000")


def add_lines(axes, rows, norm):
    """Draws the lines of equal speed. No line is drawn through an unknown row or column, where it would be invented."""
    known = [value for row in rows for value in row if value > 0]
    names = []  # each line's name and the line itself
    for level in levels(known) if known else []:
        style = {"levels": [level], "colors": ["#fefefe" if dark(level, norm) else "#000000"], "linewidths": 1.5}
        lines = axes.contour(rows, **style)
        text = f"{level:.3g} tok/s"
        written = axes.clabel(lines, fmt=lambda value, text=text: text, fontsize=10.5)
        names += [(name, style) for name in written or name_short_line(axes, lines, text, style["colors"][0])]
    for style in crowded(axes, names):
        axes.contour(rows, **style)  # restores the line where its name broke it


def name_short_line(axes, lines, text, colour):
    """Writes the name beside a line that is too short to be broken by it."""
    vertices = [vertex for path in lines.collections[0].get_paths() for vertex in path.vertices]
    if vertices:
        x, y = min(vertices, key=lambda vertex: vertex[1])
        return [axes.annotate(text, (x, y), xytext=(-2, -2), textcoords="offset points", ha="right", va="top", size=10.5, color=colour)]
    return []


def crowded(axes, names):
    """Removes each name that overlaps another or lies outside the picture, since its neighbours identify the line.
    Returns the lines without a name."""
    axes.figure.canvas.draw()
    picture = axes.get_window_extent()
    kept, nameless = [], []
    for name, line in names:
        box = name.get_window_extent()
        inside = box.x0 >= picture.x0 and box.x1 <= picture.x1 and box.y0 >= picture.y0 and box.y1 <= picture.y1
        if inside and not any(box.overlaps(other) for other in kept):
            kept.append(box)
        else:
            name.remove()
            nameless.append(line)
    return nameless


if __name__ == "__main__":
    fig.main(__doc__, draw)
