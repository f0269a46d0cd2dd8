#!/usr/bin/env python3
"""Tokens per second against the size of the cache, a line for each backend or whatever else varies; with --x, --y and
--series any figure against any axis of a sweep. Reads reports, or the points of a sweep of runs or of plans; of
repetitions it draws the median and the range."""

import math

import figure as fig  # before matplotlib: it says what to install
from matplotlib.ticker import NullLocator

# What a report is asked for where there are no axes.
CONFIG = ("backend", "device", "evict", "prefetch", "compute")

AXIS_LETTERS = 46  # that have room side by side below the axis


def value_of(run, key):
    if key == "cache" and key not in run.point:
        return f"{run.cache_bytes}B"
    return str(run.point.get(key, run.config(key)))


def axes_of(runs):
    return list(runs[0].point) or ["cache", *CONFIG]


def series_of(runs, x, series, metric):
    """What varies beside x, and name → {x: [y, …]}, the name being made of that."""
    axes = [key for key in series or axes_of(runs) if key != x and len({value_of(run, key) for run in runs}) > 1]
    found = {}
    for run in runs:
        y = metric.of(run.report)
        if y is not None:
            name = ", ".join(fig.short_value(value_of(run, key)) for key in axes)
            found.setdefault(name, {}).setdefault(value_of(run, x), []).append(y)
    if not found:
        raise fig.BadInput(f"no run has the figure {metric.name}")
    return axes, found


def places(texts):
    """Where each value stands on the axis, and whether that is logarithmic. Sizes and numbers stand where they belong,
    none of them an octave before the smallest; words stand side by side."""
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
    at, logarithmic = places(texts)
    figure = fig.new_figure(3.7)
    axes = figure.subplots()
    lines = {name: sorted((at[text], values) for text, values in by_x.items()) for name, by_x in series.items()}
    # In the legend as in the plot: what ends on top comes first.
    for index, (name, points) in enumerate(sorted(lines.items(), key=lambda line: -fig.median(line[1][-1][1]))):
        middle = [fig.median(values) * metric.scale for _, values in points]
        low = [centre - min(values) * metric.scale for centre, (_, values) in zip(middle, points)]
        high = [max(values) * metric.scale - centre for centre, (_, values) in zip(middle, points)]
        axes.errorbar([x for x, _ in points], middle, yerr=[low, high] if any(low + high) else None, label=name,
                      capsize=3, **fig.series_style(index))
    if logarithmic:
        axes.set_xscale("log")
    label_x(axes, texts, at, logarithmic)
    axes.set_xlabel(options.x.replace("_", " "))
    axes.set_ylim(bottom=0)
    axes.set_ylabel(metric.label)
    if len(series) > 1:
        fig.legend_above(axes, ", ".join(names))
    return figure


def label_x(axes, texts, at, logarithmic):
    """A tick is left out where its text would lie on the one before; the last is always there."""
    along = {text: math.log(at[text]) if logarithmic else at[text] for text in texts}
    length = along[texts[-1]] - along[texts[0]] or 1

    def apart(before, text):
        letters = (len(tick_text(before)) + len(tick_text(text))) / 2 + 2
        return (along[text] - along[before]) / length >= letters / AXIS_LETTERS

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
    parser.add_argument("--x", default="cache", metavar="AXIS", help="an axis of the sweep (default: cache)")
    parser.add_argument("--y", default="tok_per_s", metavar="FIGURE", help=f"one of {', '.join(fig.METRICS)}")
    parser.add_argument("--series", metavar="AXIS,…", help="a line for each value of these (default: all that vary)")


if __name__ == "__main__":
    fig.main(__doc__, draw, add_options)
