#!/usr/bin/env python3
"""Draws how long tokens took: the share of tokens that were faster than a time, on a scale that gives the slowest
tenth, hundredth and thousandth as much room as the rest. Reads reports or points; repetitions of a point are
combined."""

import math

import figure as fig  # before matplotlib: this module says what to install
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

KNOWN = (("p50_ns", 0.50), ("p95_ns", 0.95), ("p99_ns", 0.99))


def nines(share):
    """Maps a share to the scale: 0 → 0, 0.9 → 1, 0.99 → 2."""
    return -math.log10(max(1 - share, 1e-9))


def buckets_of(runs):
    """Returns the sum of all runs' histograms: {upper bound: tokens}."""
    counts = {}
    for run in runs:
        for bucket in run.report["phases"]["measured"]["latency"]["histogram"]:
            counts[bucket["upper_bound_ns"]] = counts.get(bucket["upper_bound_ns"], 0) + bucket["count"]
    return counts


def distribution(runs):
    """Returns [(latency in ns, share of tokens that took no longer)]. A histogram gives the share at the bounds of its
    buckets, which are a quarter of an octave wide; the slowest token is known too."""
    counts = buckets_of(runs)
    total = sum(counts.values())
    if total == 0:
        return []
    slowest = max(run.figure("max_ns") for run in runs)
    points = [(min(counts) / 2**0.25, 0.0)]
    below = 0
    for bound in sorted(counts):
        below += counts[bound]
        # The slowest of n tokens stands for the last 1/n, half of which is below it.
        points.append((min(bound, slowest), below / total if below < total else 1 - 0.5 / total))
    if len(runs) == 1:
        points += [(runs[0].figure(name), min(share, 1 - 0.5 / total)) for name, share in KNOWN]
    return sorted(points)


def p99_of(runs):
    return fig.median([run.figure("p99_ns") for run in runs])


def draw(options):
    runs = fig.runs(options.inputs)
    groups = {}
    for run in runs:
        if run.report["phases"]["measured"]["latency"]["histogram"]:
            groups.setdefault(fig.label(run, runs), []).append(run)
    if not groups:
        raise fig.BadInput("no token was decoded in any of the runs")
    ordered = sorted(groups.items(), key=lambda group: p99_of(group[1]))
    more = len(ordered) - options.most
    if more > 0:  # the best and the worst are the most telling
        best = (options.most + 1) // 2
        ordered = ordered[:best] + ordered[best + more:]
    figure = fig.new_figure(3.7)
    axes = figure.subplots()
    longest = max(run.figure("max_ns") for _, members in ordered for run in members)
    unit, per_second = fig.time_unit(longest / 1e9)
    scale = 1e9 / per_second
    top = 1.0
    for index, (name, members) in enumerate(ordered):
        points = distribution(members)
        style = fig.series_style(index)
        axes.plot([time / scale for time, _ in points], [nines(share) for _, share in points], label=fig.short_value(name),
                  color=style["color"], linestyle=style["linestyle"])
        if len(members) == 1:
            marks = [members[0].figure(key) / scale for key, _ in KNOWN]
            axes.plot(marks, [nines(share) for _, share in KNOWN], linestyle="none",
                      color=style["color"], marker=style["marker"])
        top = max(top, nines(points[-1][1]))
    finish(axes, top, p99_of(ordered[0][1]) / scale)
    axes.set_xlabel(f"time of a token ({unit}); marks: p50, p95, p99"
                    + (f"\n{more} more, with p99 between these, are not shown" if more > 0 else ""))
    return figure


def finish(axes, top, fastest_p99):
    # A token that reads and computes nothing takes no time, which lies far to the left of all others.
    times = [time for line in axes.lines for time in line.get_xdata()]
    least, most = max(min(times), fastest_p99 / 1000), max(times)
    if most > 6 * least > 0:
        axes.set_xscale("log")
        axes.set_xlim(least / 1.1, most * 1.1)
        axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5) if most < 300 * least else (1,), numticks=20))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
    shown = [(0, "0"), (0.5, "50"), (0.9, "90"), (0.95, "95"), (0.99, "99"), (0.999, "99.9"), (0.9999, "99.99")]
    shown = [(share, text) for share, text in shown if nines(share) <= top + 0.05]
    axes.set_yticks([nines(share) for share, _ in shown])
    axes.set_yticklabels([text for _, text in shown])
    axes.set_ylim(0, top * 1.03)
    axes.set_ylabel("tokens no slower (%)")
    if len(axes.get_legend_handles_labels()[1]) > 1:
        fig.legend_above(axes)


def add_options(parser):
    parser.add_argument("--most", type=int, default=6, help="largest number of lines to draw (default: 6)")


if __name__ == "__main__":
    fig.main(__doc__, draw, add_options)
