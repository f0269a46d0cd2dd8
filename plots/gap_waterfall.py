#!/usr/bin/env python3
"""Draws where the time of a token goes, cause by cause: from the time that the drive's bandwidth alone would allow to
the time achieved. Reads one report that `spillway gap --json` wrote."""

import figure as fig

ROW_IN = 0.40


def rows_of(gap):
    """Returns (name, from, to, kind, how) of every bar, in seconds a token."""
    rows = [("every expert read at the drive's best", 0, gap["seed_s_per_token"], "total", "")]
    at = gap["seed_s_per_token"]
    for bar in gap["bars"]:
        rows.append((bar["name"], at, at + bar["s_per_token"], "cause", bar["how"]))
        at += bar["s_per_token"]
    rows.append(("not explained", at, at + gap["residual_s_per_token"], "residual", ""))
    rows.append(("achieved", 0, gap["achieved_s_per_token"], "total", ""))
    return rows


def colour_of(kind, width):
    if kind == "total":
        return fig.BLUE
    if kind == "residual":
        return fig.MUTED
    return fig.VERMILION if width > 0 else fig.GREEN


def amount(width, kind, per_second, unit):
    if kind == "total":
        return f"{fig.significant(width * per_second)} {unit} = {fig.significant(1 / width)} tok/s" if width else f"0 {unit}"
    return f"{width * per_second:+.2f} {unit}".replace("-", "−")


def draw(options):
    report = fig.read(options.inputs[0], ["report", "point"])
    report = report.get("result", report)
    gap = report["gap"]["explained"]
    if gap is None:
        raise fig.BadInput(f"{options.inputs[0]}: the gap is not explained; use a report of `spillway gap --json`")
    rows = rows_of(gap)
    longest = max(max(start, end) for _, start, end, _, _ in rows)
    unit, per_second = fig.time_unit(longest)
    figure = fig.new_figure(ROW_IN * len(rows) + 0.75)
    axes = figure.subplots()
    for index, (name, start, end, kind, how) in enumerate(rows):
        y = len(rows) - 1 - index
        axes.barh(y - 0.22, (end - start) * per_second, 0.36, start * per_second, color=colour_of(kind, end - start))
        for x, align, text in ((0, "left", f"{name} ({how})" if how else name),
                               (1, "right", amount(end - start, kind, per_second, unit))):
            axes.text(x, y + 0.17, text, ha=align, va="center", size=10.5, transform=axes.get_yaxis_transform(),
                      bbox={"facecolor": fig.PAPER, "edgecolor": "none", "pad": 0.6})
        if index + 1 < len(rows) - 1:
            axes.plot([end * per_second] * 2, [y - 0.22, y - 1.04], color=fig.MUTED, linewidth=0.8)
    axes.set_ylim(-0.6, len(rows) - 0.5)
    axes.set_xlim(0, longest * per_second * 1.02)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(f"time of a token ({unit})")
    return figure


if __name__ == "__main__":
    fig.main(__doc__, draw)
