#!/usr/bin/env python3
"""Draws what happens during one token: the reads in flight, the compute, and the stalls in which compute waits for
bytes. Reads a file that --timeline wrote; without --token it draws the token of median latency."""

import figure as fig  # before matplotlib: this module says what to install
from matplotlib.patches import Patch

COMPUTE, DEMAND, PREFETCH, STALL = fig.GREEN, fig.BLUE, fig.ORANGE, fig.VERMILION


def tracks_of(events):
    """Returns {name of a track: its slices, [(start, duration, event)], in µs}."""
    names = {event["tid"]: event["args"]["name"] for event in events if event.get("name") == "thread_name"}
    tracks = {name: [] for name in names.values()}
    for event in events:
        if event["ph"] == "X":
            tracks[names[event["tid"]]].append((event["ts"], event["dur"], event))
    return tracks


def choose(tokens, wanted):
    """Returns the token to draw, as (start, duration, event)."""
    decoded = [token for token in tokens if token[2]["args"]["phase"] == "decode"]
    if not decoded:
        raise fig.BadInput("the timeline has no token of decode")
    if wanted is None:
        return sorted(decoded, key=lambda token: token[1])[len(decoded) // 2]
    if not 0 <= wanted < len(decoded):
        raise fig.BadInput(f"--token {wanted}: the timeline has tokens 0 to {len(decoded) - 1}")
    return decoded[wanted]


def within(slices, start, end):
    """What of the slices lies in the token: reads may have begun in the one before."""
    return [(max(at, start), min(at + duration, end) - max(at, start), event)
            for at, duration, event in slices if at < end and at + duration > start]


def draw(options):
    if len(options.inputs) > 1:
        raise fig.BadInput(f"{options.inputs[1]}: one timeline at a time")
    tracks = tracks_of(fig.read(options.inputs[0], ["timeline"]))
    start, duration, token = choose(tracks["tokens"], options.token)
    end = start + duration
    if duration <= 0:
        raise fig.BadInput(f"{options.inputs[0]}: its tokens took no time: there is nothing to see")
    unit, per_second = fig.time_unit(duration / 1e6)
    scale = per_second / 1e6
    lanes = [slices for name, slices in tracks.items() if name.startswith("read ")]
    lanes = [inside for inside in (within(lane, start, end) for lane in lanes) if inside]
    lane_height = min(1.0, 16 / max(len(lanes), 1))
    figure = fig.new_figure(1.9 + 0.17 * max(len(lanes) * lane_height, 1))
    axes = figure.subplots()
    draw_row(axes, 0, 1.4, within(tracks["stall"], start, end), start, scale, lambda event: STALL)
    draw_row(axes, 2, 1.4, within(tracks["compute"], start, end), start, scale, lambda event: COMPUTE)
    for index, lane in enumerate(lanes):
        draw_row(axes, 4.2 + index * lane_height, 0.8 * lane_height, lane, start, scale,
                 lambda event: PREFETCH if event["args"]["why"] == "prefetch" else DEMAND)
    top = 4.2 + len(lanes) * lane_height
    for at, _, _ in within(tracks["layers"], start, end):
        axes.axvline((at - start) * scale, color=fig.GRID, linewidth=0.6, zorder=0)
    axes.set_xlim(0, duration * scale)
    axes.set_ylim(-0.4, top + 0.2)
    axes.grid(False)
    reads = f"reads\nin flight\n(up to {len(lanes)})" if len(lanes) > 3 else "reads"
    axes.set_yticks([0.7, 2.7, (4.2 + top) / 2], ["stall", "compute", reads])
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"time since {token['name']} began ({unit}); thin lines: layers")
    key = {"compute": COMPUTE, "demand read": DEMAND, "prefetch": PREFETCH, "stall": STALL}
    axes.legend(handles=[Patch(color=colour, label=name) for name, colour in key.items()], loc="lower left",
                bbox_to_anchor=(-0.2, 1.0), ncol=4, handlelength=1, handletextpad=0.5, columnspacing=1)
    return figure


def draw_row(axes, y, height, slices, start, scale, colour_of):
    if slices:
        axes.broken_barh([((at - start) * scale, duration * scale) for at, duration, _ in slices], (y, height),
                         facecolors=[colour_of(event) for _, _, event in slices], edgecolor="none")


def add_options(parser):
    parser.add_argument("--token", type=int,
                        help="number of the token to draw, from 0 (default: the one of median latency)")


if __name__ == "__main__":
    fig.main(__doc__, draw, add_options)
