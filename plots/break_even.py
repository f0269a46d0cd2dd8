#!/usr/bin/env python3
"""Draws how good a prefetcher must be before it pays: tokens per second relative to the same run without prefetch, by
precision (the share of the proposed experts that are then used) and recall (the share of the used experts that were
proposed). Each number of layers ahead, and each value of any other axis, has a panel. Reads the points of a sweep over
`oracle:precision=,recall=,ahead=` and `none`."""

import math
import re

import figure as fig  # before matplotlib: this module says what to install
from matplotlib.colors import TwoSlopeNorm

PREFETCHER = "oracle"
PAYS = 1.005  # a smaller gain may be noise; the page uses the same limit (app/page/sweep_answer.cc)


def place_of(run):
    """Returns the settings that both runs of a pair share: all except the prefetcher."""
    return tuple(sorted((key, value) for key, value in run.report["config"].items() if key != "prefetch"))


def gains_of(runs):
    """Returns {(place, layers ahead): {(precision, recall): [tok/s ÷ tok/s without prefetch, …]}}."""
    without = {}
    for run in runs:
        if run.config("prefetch").startswith("none"):
            without.setdefault(place_of(run), []).append(run.tok_per_s)
    panels = {}
    for run in runs:
        name, options = fig.split_spec(run.config("prefetch"))
        base = without.get(place_of(run))
        if name == PREFETCHER and base and fig.median(base) > 0:
            panel = panels.setdefault((place_of(run), int(options.get("ahead", 1))), {})
            quality = (float(options["precision"]), float(options["recall"]))
            panel.setdefault(quality, []).append(run.tok_per_s / fig.median(base))
    if not panels:
        raise fig.BadInput("no two runs differ only in --prefetch: one with oracle:precision=,recall=, one with none")
    return panels


def titles_of(panels, runs):
    """Returns the titles of the panels: a line for the place, as named on the sweep's axes, and one for the layers
    ahead."""
    places = [dict(place) for place, _ in panels]
    varying = [key for key in places[0] if len({place.get(key) for place in places}) > 1]
    written = {(place_of(run), key): run.point.get(key.removesuffix("_bytes")) for run in runs for key in varying}
    titles = []
    for place, ahead in panels:
        parts = [f"{key.removesuffix('_bytes')} {written[place, key] or dict(place)[key]}" for key in varying]
        titles.append("\n".join([*map(fig.short_value, parts), f"{ahead} layer{'s' if ahead != 1 else ''} ahead"]))
    return titles


def in_order(panel):
    """Orders panels by the numbers in their configuration, so that 200000ns comes before 1000000ns."""
    (place, ahead), _ = panel
    return [[float(number) for number in re.findall("[0-9]+", value)] for _, value in place], ahead


def draw(options):
    runs = fig.runs(options.inputs)
    panels = sorted(gains_of(runs).items(), key=in_order)
    more = len(panels) - options.most
    panels = panels[: options.most]
    columns = 1 if len(panels) == 1 else 2
    rows = -(-len(panels) // columns)
    titles = titles_of([panel for panel, _ in panels], runs)
    height_in = (3.0 if columns == 1 else 2.1) + 0.17 * titles[0].count("\n")
    figure = fig.new_figure(0.9 + height_in * rows)
    axes_list = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    gains = [fig.median(values) for _, panel in panels for values in panel.values()]
    reach = max(max(gains) - 1, 1 - min(gains), 0.01)
    norm = TwoSlopeNorm(1, 1 - reach, 1 + reach)
    precisions, recalls = (sorted({place[which] for _, panel in panels for place in panel}) for which in (0, 1))
    for axes, title, (_, panel) in zip(axes_list, titles, panels):
        mesh = draw_panel(axes, panel, precisions, recalls, norm)
        axes.set_title(title, loc="left")
    for index, axes in enumerate(axes_list):
        axes.set_visible(index < len(panels))
        axes.tick_params(labelbottom=index + columns >= len(panels))
    figure.supxlabel("precision (%)" + (f"; {more} more panels are not shown" if more > 0 else ""), size=11)
    figure.supylabel("recall (%)", size=11)
    bar = figure.colorbar(mesh, ax=list(axes_list), orientation="horizontal", location="top", fraction=0.04, aspect=40)
    bar.set_label(f"tokens per second, without prefetch = 1 (black line: {PAYS})", size=10.5)
    return figure


def draw_panel(axes, panel, precisions, recalls, norm):
    rows = [[fig.median(panel.get((precision, recall), [math.nan])) for precision in precisions] for recall in recalls]
    axes.grid(False)
    mesh = axes.pcolormesh([index - 0.5 for index in range(len(precisions) + 1)],
                           [index - 0.5 for index in range(len(recalls) + 1)], rows, cmap="PuOr_r", norm=norm)
    flat = [value for row in rows for value in row]
    if not any(map(math.isnan, flat)) and min(len(precisions), len(recalls)) > 1 and min(flat) < PAYS < max(flat):
        axes.contour(rows, levels=[PAYS], colors=["#000000"], linewidths=2)
    axes.set_xticks(range(len(precisions)), [f"{100 * precision:.3g}" for precision in precisions])
    axes.set_yticks(range(len(recalls)), [f"{100 * recall:.3g}" for recall in recalls])
    return mesh


def add_options(parser):
    parser.add_argument("--most", type=int, default=12, help="largest number of panels to draw (default: 12)")


if __name__ == "__main__":
    fig.main(__doc__, draw, add_options)
