#!/usr/bin/env python3
"""Draws tok/s by memory and by drive bandwidth from `spillway plan … --json IN.json`, with lines of equal speed.

    plots/ram_ssd_heatmap.py IN.json OUT.png
"""

import json
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.colors import LogNorm  # noqa: E402

SCHEMA = "spillway.plan/1"
SPEEDS = [0.5, 1, 2, 5, 10, 20, 50, 100, 200]  # tok/s, of the lines


def load(path):
    with open(path, encoding="utf-8") as file:
        plan = json.load(file)
    if plan.get("schema") != SCHEMA:
        sys.exit(f"{path}: its schema is {plan.get('schema')!r}; this script reads {SCHEMA}")
    return plan


def grid(sweep):
    """Memory in GB as sold, bandwidth in GB/s, and tok/s[memory][bandwidth]; nan where it does not run."""
    memories = [size / 2**30 for size in sweep["memory_bytes"]]
    bandwidths = [rate / 1e9 for rate in sweep["drive_bandwidth_bytes_per_s"]]
    columns = len(bandwidths)
    speeds = [speed or float("nan") for speed in sweep["tok_per_s"]]
    return memories, bandwidths, [speeds[row * columns : (row + 1) * columns] for row in range(len(memories))]


def draw(plan, path):
    memories, bandwidths, speeds = grid(plan["sweep"])
    known = [speed for row in speeds for speed in row if speed == speed]
    if not known:
        sys.exit("the model runs with none of these memories")
    figure, axes = plt.subplots(figsize=(8, 5.5))
    norm = LogNorm(min(known), max(known) if max(known) > min(known) else 2 * min(known))
    mesh = axes.pcolormesh(bandwidths, memories, speeds, norm=norm, cmap="viridis", shading="nearest")
    figure.colorbar(mesh, label="tok/s")
    levels = [speed for speed in SPEEDS if min(known) < speed < max(known)]
    if levels:
        lines = axes.contour(bandwidths, memories, speeds, levels=levels, colors="white", linewidths=1)
        axes.clabel(lines, fmt="%g tok/s")
    question = plan["question"]
    memory = plan["plan"]["memory"]["total_bytes"] / 2**30
    rate = question["drives"] * question["drive_bandwidth_bytes_per_s"] / 1e9
    axes.plot(rate, memory, "r*", markersize=14, label="as asked")
    axes.legend(loc="lower right")
    axes.set_xscale("log")
    axes.set_yscale("log", base=2)
    axes.set_yticks(memories, [f"{size:g} GB" for size in memories])
    axes.set_xticks(bandwidths, [f"{rate:g}" for rate in bandwidths])
    axes.minorticks_off()
    axes.set_xlabel("drive, GB/s")
    axes.set_ylabel("memory, as sold")
    axes.set_title(f"{question['model']} on {question['machine']}, {question['context_tokens']} tokens of context")
    figure.tight_layout()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__.strip())
    draw(load(sys.argv[1]), sys.argv[2])
