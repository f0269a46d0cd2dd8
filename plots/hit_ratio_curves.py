#!/usr/bin/env python3
"""Draws how often a cache of each size hits, by policy. Marks the size below which LRU is worth nothing (the cliff: one
token's experts) and the size above which more memory gains little (the knee). Reads files of `spillway curve
--json`."""

import os

import figure as fig


def by_policy(curve):
    """Returns {policy: [(cache bytes, hit ratio of decode)]}, ascending."""
    found = {}
    for point in curve["points"]:
        found.setdefault(point["policy"], []).append((point["cache_bytes"], point["hit_ratio_decode"]))
    return {policy: sorted(points) for policy, points in found.items()}


def draw(options):
    curves = [(path, fig.read(path, ["curve"])) for path in options.inputs]
    figure = fig.new_figure(3.7)
    axes = figure.subplots()
    sizes = [point["cache_bytes"] for _, curve in curves for point in curve["points"]]
    if not sizes:
        raise fig.BadInput(f"{options.inputs[0]}: the curve has no points")
    series = [(path, curve, policy, points) for path, curve in curves for policy, points in by_policy(curve).items()]
    for index, (path, curve, policy, points) in enumerate(series):
        name = policy if len(curves) == 1 else f"{policy}, {os.path.splitext(os.path.basename(path))[0]}"
        axes.plot([size for size, _ in points], [100 * ratio for _, ratio in points], label=fig.short_value(name),
                  **fig.series_style(index))
    mark_cliff(axes, curves[0][1])
    mark_knee(axes, curves[0][1])
    axes.set_xscale("log")
    fig.size_axis(axes.xaxis, min(sizes), max(sizes))
    axes.set_ylim(0, 100)
    axes.set_xlabel("cache")
    axes.set_ylabel("hits of decode (%)")
    fig.legend_above(axes)
    return figure


def mark_cliff(axes, curve):
    cycle = curve["token_cycle_bytes"]
    axes.axvline(cycle, color=fig.MUTED, linewidth=1.2, linestyle=(0, (2, 2)))
    axes.annotate(f"cliff: a token's\nexperts, {fig.bytes_text(cycle)}", (cycle, 97), xytext=(-4, 0),
                  textcoords="offset points", ha="right", va="top", size=10, color=fig.MUTED)


def mark_knee(axes, curve):
    """Marks LRU's knee, which `spillway curve` found among all sizes, not only among those drawn."""
    knee = curve.get("knee")
    if knee:
        size, percent = knee["cache_bytes"], 100 * knee["hit_ratio_decode"]
        axes.plot([size], [percent], marker="o", markersize=13, markerfacecolor="none", markeredgecolor=fig.INK,
                  markeredgewidth=1.3, linestyle="none")
        axes.annotate(f"LRU's knee:\n{fig.bytes_text(size)}, {percent:.0f} %", (size, percent), xytext=(2, -13),
                      textcoords="offset points", ha="left", va="top", size=10)


if __name__ == "__main__":
    fig.main(__doc__, draw)
