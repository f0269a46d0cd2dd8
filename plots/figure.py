"""What every figure shares: how results are read and named, and how they look.

A script of this folder reads result JSON and nothing else. It is run as NAME.py IN.json... -o OUT.svg|png and ends
with 0, 1 (an input is wrong), 2 (wrong usage) or 77 (matplotlib is not installed).
"""

import argparse
import json
import math
import os
import re
import sys
from dataclasses import dataclass, field

try:
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
except ImportError as problem:
    sys.exit(
        print(f"{problem}; matplotlib draws the plots: on Debian, install python3-matplotlib", file=sys.stderr)
        or 77
    )

# What this folder understands. A number that is not the one here belongs to another format of the same name.
VERSIONS = {"report": 1, "curve": 1, "point": 1, "plan": 1, "timeline": 1}

# The palette of Okabe and Ito (2008), which those who confuse red and green tell apart, without its yellow, which is
# too pale for a line on white.
BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION = "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"
SERIES = [BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION]
MARKERS = ["o", "s", "^", "D", "v", "P"]
DASHES = ["-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)), (0, (3, 1.5)), (0, (8, 3))]

# A page that shows a figure in the dark replaces exactly these (app/page/style.h).
INK, MUTED, GRID, PAPER = "#1d2126", "#5c636b", "#d7dbdf", "#ffffff"

# As wide as a phone, so that a point of type is about a pixel there.
WIDTH_IN = 5.0

STYLE = {
    "font.size": 11,
    "font.family": "sans-serif",
    "axes.labelsize": 11,
    "axes.titlesize": 11,
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 10.5,
    "legend.fontsize": 10.5,
    "legend.title_fontsize": 10.5,
    "legend.frameon": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.facecolor": PAPER,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "text.parse_math": False,  # names may have dollars in them
    "svg.fonttype": "none",  # letters stay letters: they are found, read aloud and selected
    "svg.hashsalt": "spillway",  # the same input makes the same file
}


class BadInput(Exception):
    """An input that is not what it should be; the message names the file."""


@dataclass
class Run:
    """One report or plan, and where a sweep had it: the axes' values, and which repetition it was."""

    path: str
    report: dict
    point: dict = field(default_factory=dict)
    repetition: int = 0

    @property
    def tok_per_s(self):
        return self.report["gap"]["achieved_tok_per_s"]

    def config(self, key, default=""):
        return self.report.get("config", {}).get(key, default)

    @property
    def cache_bytes(self):
        return int(self.config("cache_bytes", "0"))


def schema_of(document):
    if isinstance(document, dict):
        return document.get("schema")
    if isinstance(document, list) and document and isinstance(document[0], dict):
        return document[0].get("args", {}).get("schema")
    return None


def read(path, kinds):
    """The document in the file: one of `kinds`, in the version known here."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as problem:
        raise BadInput(f"{path}: cannot be read: {problem}") from None
    try:
        document = json.loads(text)
    except json.JSONDecodeError as problem:
        document = unfinished_array(text)
        if document is None:
            raise BadInput(f"{path}: is not JSON: {problem}") from None
    match = re.fullmatch(r"spillway\.([a-z]+)/([0-9]+)", str(schema_of(document)))
    if not match or match[1] not in kinds:
        wanted = " or ".join(f"spillway.{kind}/{VERSIONS[kind]}" for kind in kinds)
        raise BadInput(f"{path}: its schema is {schema_of(document)!r}; {wanted} is needed here")
    if int(match[2]) != VERSIONS[match[1]]:
        raise BadInput(f"{path}: is of schema {match[0]}; this version draws spillway.{match[1]}/{VERSIONS[match[1]]}")
    return document


def unfinished_array(text):
    """A timeline whose run was killed: whole lines, of which the last may be half, and no bracket."""
    if not text.startswith("["):
        return None
    lines = text.rstrip().rstrip(",").split("\n")
    for kept in (lines, lines[:-1]):
        try:
            return json.loads("\n".join(kept).rstrip().rstrip(",") + "]")
        except json.JSONDecodeError:
            pass
    return None


def runs(paths, results=("report",)):
    """The results of these kinds in the files. Of points, those that were done; how many were not is said on stderr."""
    schemas = [f"spillway.{kind}/{VERSIONS[kind]}" for kind in results]
    found = []
    missing = 0
    for path in paths:
        document = read(path, (*results, "point"))
        if schema_of(document) in schemas:
            found.append(Run(path, document))
        elif document.get("status") != "done" or schema_of(document.get("result")) not in schemas:
            missing += 1
        else:
            found.append(Run(path, document["result"], document.get("point", {}), document.get("repetition", 0)))
    if missing:
        print(f"{missing} of {len(paths)} points hold no {' or '.join(results)} and are left out", file=sys.stderr)
    if not found:
        raise BadInput(f"{paths[0]}: no {' or '.join(results)} is in the {len(paths)} files")
    return found


def label(run, among):
    """What tells this run from the others: the axes of its sweep that vary, or the name of its file."""
    varying = [key for key in run.point if len({str(other.point.get(key)) for other in among}) > 1]
    if not varying:
        return os.path.splitext(os.path.basename(run.path))[0]
    return ", ".join(short_value(run.point[key]) for key in varying)


def short_value(value):
    """`uring:depth=64,chunk=1MiB` → itself if short, else its name and what fits."""
    text = str(value)
    return text if len(text) <= 34 else text[:33] + "…"


@dataclass
class Metric:
    """A figure: where it is in a report, how an axis calls it, and where it is in a plan."""

    name: str
    path: str
    label: str
    scale: float = 1.0
    per: str = ""
    less_is_better: bool = True
    in_plan: str = ""

    def of(self, result):
        if schema_of(result).startswith("spillway.plan/"):
            return at(result, self.in_plan)
        value = at(result, self.path)
        per = at(result, self.per) if self.per else 1
        return value / per if value is not None and per else None


# The names are those that experiment files know (app/sweep/figures.cc).
TOKENS = "phases/measured/tokens"
METRICS = {
    metric.name: metric
    for metric in (
        Metric("tok_per_s", "gap/achieved_tok_per_s", "tokens per second", less_is_better=False,
               in_plan="plan/speed/tok_per_s"),
        Metric("tok_per_s_low", "", "tokens per second at least", less_is_better=False, in_plan="plan/speed/tok_per_s_low"),
        Metric("tok_per_s_high", "", "tokens per second at most", less_is_better=False,
               in_plan="plan/speed/tok_per_s_high"),
        Metric("hit_ratio", "phases/measured/hit_ratio", "hits of decode (%)", 100, less_is_better=False,
               in_plan="plan/speed/hit_ratio"),
        Metric("p50_ns", "phases/measured/latency/p50_ns", "median token (ms)", 1e-6),
        Metric("p95_ns", "phases/measured/latency/p95_ns", "p95 of token latency (ms)", 1e-6),
        Metric("p99_ns", "phases/measured/latency/p99_ns", "p99 of token latency (ms)", 1e-6),
        Metric("max_ns", "phases/measured/latency/max_ns", "slowest token (ms)", 1e-6),
        Metric("stall_ns_per_token", "phases/measured/stall_ns", "stall of a token (ms)", 1e-6, TOKENS),
        Metric("missed_bytes_per_token", "phases/measured/missed_bytes", "missed by a token (MB)", 1e-6, TOKENS,
               in_plan="plan/speed/missed_bytes"),
        Metric("cache_bytes", "", "memory for experts (GB)", 1e-9, less_is_better=False, in_plan="plan/memory/cache_bytes"),
        Metric("context_bytes", "", "memory for the context (GB)", 1e-9, in_plan="plan/memory/context_bytes"),
        Metric("prefetched_bytes_per_token", "phases/measured/prefetched_bytes", "prefetched for a token (MB)", 1e-6, TOKENS),
        Metric("wasted_bytes_per_token", "phases/measured/wasted_bytes", "prefetched for nothing, a token (MB)", 1e-6, TOKENS),
        Metric("prefill_ns", "phases/prefill/wall_ns", "prefill (s)", 1e-9),
        Metric("read_bytes", "io/read_bytes", "read (GB)", 1e-9),
        Metric("from_ram_share", "io/from_ram_share", "served from RAM (%)", 100),
        Metric("stolen_share", "io/stolen_share", "of a core's time, stolen by the host (%)", 100),
        Metric("cpu_s", "io/cpu_s", "CPU time (s)"),
        Metric("drive_bytes_per_s", "gap/drive_bytes_per_s", "the drive's best (GB/s)", 1e-9, less_is_better=False),
        Metric("seed_ceiling_tok_per_s", "gap/seed_ceiling_tok_per_s", "seed ceiling (tok/s)", less_is_better=False,
               in_plan="plan/seed_ceiling_tok_per_s"),
        Metric("policy_ceiling_tok_per_s", "gap/policy_ceiling_tok_per_s", "policy ceiling (tok/s)", less_is_better=False),
        Metric("physical_ceiling_tok_per_s", "gap/physical_ceiling_tok_per_s", "physical ceiling (tok/s)",
               less_is_better=False),
        Metric("peak_memory_bytes", "live/peak_memory_bytes", "peak memory (GB)", 1e-9),
        Metric("perplexity", "perplexity/value", "perplexity"),
    )
}


def at(document, path):
    """What is at `a/b/c`, or None."""
    for key in path.split("/"):
        document = document.get(key) if isinstance(document, dict) else None
    return document


def metric(name):
    if name not in METRICS:
        raise BadInput(f"there is no figure {name!r}; there are: {', '.join(METRICS)}")
    return METRICS[name]


UNITS = {"": 1, "B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30,
         "TiB": 2**40}


def amount_of(text):
    """The number behind `3`, `0.5`, `10GB`, `3.5GB/s`; None of a word."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]*?)(?:/s)?", text)
    return float(match[1]) * UNITS[match[2]] if match and match[2] in UNITS else None


def split_spec(text):
    """`name:key=value,…` → (name, {key: value})."""
    name, _, options = text.partition(":")
    return name, dict(part.partition("=")[::2] for part in options.split(",") if part)


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def significant(value, digits=3):
    """Three significant digits, as the tables have them."""
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f}"


def bytes_text(count):
    """`3.06 MB`, and `4 GB` where nothing is lost by it."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            text = significant(count / size)
            return f"{text.rstrip('0').rstrip('.') if '.' in text else text} {unit}"
    return f"{count:.0f} B"


def time_unit(seconds):
    """The unit in which so many seconds make a number that reads well, and how many of it a second has."""
    for unit, per_second in (("s", 1), ("ms", 1e3), ("µs", 1e6)):
        if seconds * per_second >= 1:
            return unit, per_second
    return "ns", 1e9


def byte_scale(largest):
    """The unit for an axis of bytes, and how many bytes it has."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if largest >= size:
            return unit, size
    return "B", 1


def new_figure(height_in):
    return Figure(figsize=(WIDTH_IN, height_in), layout="constrained")


def series_style(index):
    """Colour, marker and dashes of the so-maniest line; no two of the first 36 have both colour and dashes in common."""
    turn = index // 6
    return {"color": SERIES[index % 6], "marker": MARKERS[(index + 2 * turn) % 6], "linestyle": DASHES[(index + turn) % 6]}


def legend_above(axes, title=None):
    """A legend where no line can run through it. The figure grows by what it takes beyond three rows, lest nothing be
    left for the lines."""
    handles, labels = axes.get_legend_handles_labels()
    width_in, height_in = axes.figure.get_size_inches()
    axes.figure.set_size_inches(width_in, height_in + max(0, legend_height_in(labels, title) - 3 * LEGEND_ROW_IN))
    legend(axes, handles, labels, title, loc="lower left", bbox_to_anchor=(-0.12, 1.0))


LEGEND_ROW_IN = 0.19


def legend_columns(labels):
    longest = max(map(len, labels), default=0)
    most = 1 if longest > 21 else 2 if longest > 11 else 3
    rows = -(-len(labels) // most)
    return -(-len(labels) // rows) if rows else 1


def legend_height_in(labels, title):
    return LEGEND_ROW_IN * (-(-len(labels) // legend_columns(labels)) + (title is not None))


def legend(axes, handles, labels, title, **where):
    """To be read row by row, though legends are filled column by column; `title` says what its names are of."""
    columns = legend_columns(labels)
    rows = -(-len(labels) // columns)
    order = [row * columns + column for column in range(columns) for row in range(rows)]
    order = [index for index in order if index < len(labels)]
    axes.legend([handles[index] for index in order], [labels[index] for index in order], title=title, alignment="left",
                ncol=columns, handlelength=2.6, columnspacing=1.2, borderpad=0.2, **where)


def size_axis(axis, smallest, largest):
    """A logarithmic axis of bytes."""
    wide = largest > 30 * smallest
    axis.set_major_locator(LogLocator(base=10, subs=(1, 3) if wide else (1, 2, 5), numticks=20))
    axis.set_major_formatter(FuncFormatter(lambda size, _: bytes_text(size)))
    axis.set_minor_locator(NullLocator())


def save(figure, path):
    if path.endswith(".png"):
        figure.savefig(path, dpi=220)
    else:
        figure.savefig(sys.stdout.buffer if path == "-" else path, format="svg", metadata={"Date": None})


def main(description, draw, add_options=None):
    """Parses the command line, draws, saves."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("inputs", nargs="+", metavar="IN.json")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="a name that ends in .svg or .png; - is stdout, as SVG")
    if add_options:
        add_options(parser)
    options = parser.parse_args()
    if options.output != "-" and not options.output.endswith((".svg", ".png")):
        parser.error(f"--output {options.output}: must end in .svg or .png")
    try:
        with matplotlib.rc_context({**matplotlib.rcParamsDefault, **STYLE, "backend": "agg"}):
            save(draw(options), options.output)
    except BadInput as problem:
        named = any(path in str(problem) for path in options.inputs)
        where = "" if named else f"{', '.join(options.inputs)}: "
        sys.exit(f"{os.path.basename(sys.argv[0])}: {where}{problem}")
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        sys.exit(f"{os.path.basename(sys.argv[0])}: {options.inputs[0]}: is not as its schema has it: {problem!r}")
    except OSError as problem:
        sys.exit(f"{os.path.basename(sys.argv[0])}: {problem}")
