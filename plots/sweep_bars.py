#!/usr/bin/env python3
"""Draws one figure for each point of a sweep as bars, the best on top: for axes with words instead of amounts. Reads
points or reports; repetitions are drawn as their median and range."""

import figure as fig  # before matplotlib: this module says what to install

ROW_IN = 0.36


def draw(options):
    runs = fig.runs(options.inputs, ("report", "plan"))
    metric = fig.metric(options.y)
    groups = {}
    for run in runs:
        value = metric.of(run.report)
        if value is not None:
            groups.setdefault(fig.label(run, runs), []).append(value * metric.axis_scale)
    if not groups:
        raise fig.BadInput(f"no run has the figure {metric.name}")
    rows = sorted(groups.items(), key=lambda row: fig.median(row[1]), reverse=metric.more_is_better)[: options.most]
    figure = fig.new_figure(ROW_IN * len(rows) + 0.75)
    axes = figure.subplots()
    for index, (name, values) in enumerate(rows):
        y = len(rows) - 1 - index
        middle = fig.median(values)
        axes.barh(y - 0.2, middle, 0.3, color=fig.BLUE)
        if len(values) > 1:
            axes.plot([min(values), max(values)], [y - 0.2] * 2, color=fig.INK, linewidth=1.5, marker="|", markersize=7)
        for x, align, text in ((0, "left", name), (1, "right", fig.significant(middle))):
            axes.text(x, y + 0.16, text, ha=align, va="center", size=10.5, transform=axes.get_yaxis_transform(),
                      bbox={"facecolor": fig.PAPER, "edgecolor": "none", "pad": 0.6})
    axes.set_ylim(-0.55, len(rows) - 0.5)
    axes.set_xlim(left=0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    more = len(groups) - len(rows)
    axes.set_xlabel(metric.axis_label + (f"; {more} more are not shown" if more else ""))
    return figure


def add_options(parser):
    parser.add_argument("--y", default="tok_per_s", metavar="FIGURE",
                        help=f"the figure to draw: one of {', '.join(fig.METRICS)}")
    parser.add_argument("--most", type=int, default=16, help="largest number of bars to draw (default: 16)")


if __name__ == "__main__":
    fig.main(__doc__, draw, add_options)
