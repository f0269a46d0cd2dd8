#!/usr/bin/env python3
"""How good a prefetcher has to be before it pays: tokens per second relative to the same run without prefetch, for each
precision (the share of what it proposes that is then used) and recall (the share of what is used that it proposed), a
panel for each number of layers ahead. Reads the points of a sweep over `oracle:precision=,recall=,ahead=` and `none`."""

import math

import figure as fig  # before matplotlib: it says what to install
from matplotlib.colors import TwoSlopeNorm

PREFETCHER = "oracle"


def place_of(run):
    """What both runs of a pair have in common: everything but the prefetcher."""
    return tuple(sorted((key, value) for key, value in run.report["config"].items() if key != "prefetch"))


def gains_of(runs):
    """{(cache bytes, layers ahead): {(precision, recall): [tok/s ÷ tok/s without prefetch, …]}}."""
    without = {}
    for run in runs:
        if run.config("prefetch").startswith("none"):
            without.setdefault(place_of(run), []).append(run.tok_per_s)
    panels = {}
    for run in runs:
        name, options = fig.split_spec(run.config("prefetch"))
        base = without.get(place_of(run))
        if name == PREFETCHER and base and fig.median(base) > 0:
            panel = panels.setdefault((run.cache_bytes, int(options.get("ahead", 1))), {})
            quality = (float(options["precision"]), float(options["recall"]))
            panel.setdefault(quality, []).append(run.tok_per_s / fig.median(base))
    if not panels:
        raise fig.BadInput("there is no run with --prefetch oracle:precision=,recall= beside one that is the same with none")
    return panels


def draw(options):
    panels = sorted(gains_of(fig.runs(options.inputs)).items())[: options.most]
    columns = 1 if len(panels) == 1 else 2
    rows = -(-len(panels) // columns)
    figure = fig.new_figure(0.9 + (3.0 if columns == 1 else 2.25) * rows)
    axes_list = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    gains = [fig.median(values) for _, panel in panels for values in panel.values()]
    reach = max(max(gains) - 1, 1 - min(gains), 0.01)
    norm = TwoSlopeNorm(1, 1 - reach, 1 + reach)
    caches = {cache for (cache, _), _ in panels}
    for axes, ((cache, ahead), panel) in zip(axes_list, panels):
        mesh = draw_panel(axes, panel, norm)
        layers = f"{ahead} layer{'s' if ahead != 1 else ''} ahead"
        axes.set_title(layers if len(caches) == 1 else f"{fig.bytes_text(cache)}, {layers}", loc="left")
    for index, axes in enumerate(axes_list):
        axes.set_visible(index < len(panels))
        axes.tick_params(labelbottom=index + columns >= len(panels))
    figure.supxlabel("precision (%)", size=11)
    figure.supylabel("recall (%)", size=11)
    bar = figure.colorbar(mesh, ax=list(axes_list), orientation="horizontal", location="top", fraction=0.04, aspect=40)
    bar.set_label("tokens per second, without prefetch = 1 (black line)", size=10.5)
    return figure


def draw_panel(axes, panel, norm):
    precisions = sorted({precision for precision, _ in panel})
    recalls = sorted({recall for _, recall in panel})
    rows = [[fig.median(panel[place]) if (place := (precision, recall)) in panel else math.nan for precision in precisions]
            for recall in recalls]
    axes.grid(False)
    mesh = axes.pcolormesh(range(len(precisions)), range(len(recalls)), rows, cmap="PuOr_r", norm=norm, shading="nearest")
    known = [value for row in rows for value in row if not math.isnan(value)]
    if len(known) == len(precisions) * len(recalls) and min(precisions, recalls, key=len)[1:] and min(known) < 1 < max(known):
        axes.contour(rows, levels=[1], colors=["#000000"], linewidths=2)
    axes.set_xticks(range(len(precisions)), [f"{100 * precision:.3g}" for precision in precisions])
    axes.set_yticks(range(len(recalls)), [f"{100 * recall:.3g}" for recall in recalls])
    return mesh


def add_options(parser):
    parser.add_argument("--most", type=int, default=6, help="panels to draw at most (default: 6)")


if __name__ == "__main__":
    fig.main(__doc__, draw, add_options)
