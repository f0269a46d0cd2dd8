#!/usr/bin/env python3
"""Draws tokens per second against the size of the cache, with a line for each backend or other setting that varies.
--x, --y and --series choose any figure and any axes of a sweep. Reads reports, or the points of a sweep of runs or of
plans; repetitions are drawn as their median and range."""

import math

import figure as fig  # before matplotlib: this module says what to install
from matplotlib.ticker import NullLocator

# The settings of a report that stand in for axes when there are none.
CONFIG = ("backend", "device", "evict", "prefetch", "compute")

WIDE_LETTERS, NARROW_LETTERS = 46, 20  # letters that fit side by side below an axis: of one panel, of two in a row
MOST_LINES = 14  # in one plot; question 4 has 13 policies


def value_of(run, key):
    if key == "cache" and key not in run.point:
        return f"{run.cache_bytes}B"
    return str(run.point.get(key, run.config(key)))


def axes_of(runs):
    return list(runs[0].point) or ["cache", *CONFIG]


def series_of(runs, x, series, metric):
    """Returns the other axes that vary, and {their values: {x: [y, …]}}."""
    axes = [key for key in series or axes_of(runs) if key != x and len({value_of(run, key) for run in runs}) > 1]
    found = {}
    for run in runs:
        y = metric.of(run.report)
        if y is not None:
            values = tuple(value_of(run, key) for key in axes)
            found.setdefault(values, {}).setdefault(value_of(run, x), []).append(y * metric.axis_scale)
    if not found:
        raise fig.BadInput(f"no run has the figure {metric.name}")
    return axes, found


def places(texts):
    """Returns the position of each value on the axis, and whether the axis is logarithmic. Sizes and numbers stand to
    scale, with 0 an octave before the smallest; words stand side by side."""
    numbers = {text: fig.amount_of(text) for text in texts}
    if None in numbers.values():
        return {text: index for index, text in enumerate(texts)}, False
    positive = [number for number in numbers.values() if number > 0]
    if len(positive) < 2 or max(positive) < 6 * min(positive):
        return numbers, False
    return {text: number if number > 0 else min(positive) / 2 for text, number in numbers.items()}, True


def draw(options):
    runs = fig.runs(options.inputs, ("report", "plan"))
    metric = fig.metric(options.y)
    names, series = series_of(runs, options.x, options.series.split(",") if options.series else None, metric)
    texts = list(dict.fromkeys(value_of(run, options.x) for run in runs))
    texts.sort(key=lambda text: (fig.amount_of(text) is None, fig.amount_of(text) or 0))
    # Too many lines for one plot are split: one plot for each value of all axes except the first.
    split = 1 if len(series) > MOST_LINES and len(names) > 1 else len(names)
    panels = {}
    for values, by_x in series.items():
        panels.setdefault(values[split:], {})[", ".join(map(fig.short_value, values[:split]))] = by_x
    panels = sorted(panels.items(), key=lambda panel: [(fig.amount_of(text) or 0, text) for text in panel[0]])
    title = ", ".join(names[:split])
    if len(panels) == 1:
        figure = fig.new_figure(3.7)
        all_axes = [figure.subplots()]
    else:
        figure, top, all_axes = panel_axes(len(panels), fig.legend_height_in(list(panels[0][1]), title))
    # The legend has the order of the plot: the line that ends on top comes first.
    order = sorted({name for _, lines in panels for name in lines}, key=lambda name: -last_of(name, panels, texts))
    for axes, (values, lines) in zip(all_axes, panels):
        draw_lines(axes, {name: lines[name] for name in order if name in lines}, order, texts,
                   WIDE_LETTERS if len(panels) == 1 else NARROW_LETTERS)
        axes.set_title("\n".join(f"{key} {fig.short_value(text)}" for key, text in zip(names[split:], values)), loc="left")
    all_axes[0].set_ylim(bottom=0)
    if len(panels) == 1:
        all_axes[0].set_xlabel(options.x.replace("_", " "))
        all_axes[0].set_ylabel(metric.axis_label)
        if len(order) > 1:
            fig.legend_above(all_axes[0], title)
    else:
        figure.supxlabel(options.x.replace("_", " "), size=11)
        figure.supylabel(metric.axis_label, size=11)
        fig.legend(top, *all_axes[0].get_legend_handles_labels(), title, loc="upper left", borderaxespad=0)
    return figure


def panel_axes(count, legend_in):
    """Arranges the panels two in a row, below room for a legend."""
    rows = -(-count // 2)
    row_in = 2.1
    figure = fig.new_figure(legend_in + row_in * rows + 0.3)
    grid = figure.add_gridspec(rows + 1, 2, height_ratios=[legend_in, *[row_in] * rows])
    top = figure.add_subplot(grid[0, :])
    top.axis("off")
    first = None
    found = []
    for index in range(count):
        first = figure.add_subplot(grid[1 + index // 2, index % 2], sharey=first)
        first.tick_params(labelleft=index % 2 == 0)
        found.append(first)
    return figure, top, found


def last_of(name, panels, texts):
    """Returns the last value of a line in the first panel that has it."""
    by_x = next(lines[name] for _, lines in panels if name in lines)
    return fig.median(next(by_x[text] for text in reversed(texts) if text in by_x))


def draw_lines(axes, lines, order, texts, room):
    at, logarithmic = places(texts)
    for name, by_x in lines.items():
        points = sorted((at[text], values) for text, values in by_x.items())
        middle = [fig.median(values) for _, values in points]
        low = [centre - min(values) for centre, (_, values) in zip(middle, points)]
        high = [max(values) - centre for centre, (_, values) in zip(middle, points)]
        axes.errorbar([x for x, _ in points], middle, yerr=[low, high] if any(low + high) else None, label=name,
                      capsize=3, **fig.series_style(order.index(name)))
    if logarithmic:
        axes.set_xscale("log")
    label_x(axes, texts, at, logarithmic, room)


def label_x(axes, texts, at, logarithmic, room):
    """Labels the x axis. A tick whose text would overlap the one before is left out; the last tick always stays."""
    along = {text: math.log(at[text]) if logarithmic else at[text] for text in texts}
    length = along[texts[-1]] - along[texts[0]] or 1

    def apart(before, text):
        letters = (len(tick_text(before)) + len(tick_text(text))) / 2 + 2
        return (along[text] - along[before]) / length >= letters / room

    shown = texts[:1]
    for text in texts[1:]:
        if apart(shown[-1], text):
            shown.append(text)
    while len(shown) > 1 and shown[-1] != texts[-1] and not apart(shown[-1], texts[-1]):
        shown.pop()
    shown += texts[-1:] if shown[-1] != texts[-1] else []
    axes.set_xticks([at[text] for text in shown], [tick_text(text) for text in shown])
    axes.xaxis.set_minor_locator(NullLocator())


def tick_text(text):
    amount = fig.amount_of(text)
    if amount == 0:
        return "none"
    if amount is None or not text[-1].isalpha():
        return fig.short_value(text)
    return fig.bytes_text(amount) + ("/s" if text.endswith("/s") else "")


def add_options(parser):
    parser.add_argument("--x", default="cache", metavar="AXIS",
                        help="the axis of the sweep to draw along x (default: cache)")
    parser.add_argument("--y", default="tok_per_s", metavar="FIGURE",
                        help=f"the figure to draw: one of {', '.join(fig.METRICS)}")
    parser.add_argument("--series", metavar="AXIS,…",
                        help="draw a line for each value of these axes (default: all that vary)")


if __name__ == "__main__":
    fig.main(__doc__, draw, add_options)
