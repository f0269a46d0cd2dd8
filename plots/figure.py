"""The parts that all figures share: reading and naming results, and the look of a figure.

A script of this folder reads only result JSON. It is run as NAME.py IN.json... -o OUT.svg|png and exits with 0,
1 (an input is wrong), 2 (wrong usage) or 77 (matplotlib is not installed).
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
        print(f"{problem}; the plots need matplotlib: on Debian, install python3-matplotlib", file=sys.stderr)
        or 77
    )

# The known version of each schema. Another number stands for another format.
VERSIONS = {"report": 1, "curve": 1, "point": 1, "plan": 1, "timeline": 1}

# The palette of Okabe and Ito (2008), which people who confuse red and green can tell apart. Its yellow is left out,
# since it is too pale for a line on white.
BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION = "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"
SERIES = [BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION]
MARKERS = ["o", "s", "^", "D", "v", "P"]
DASHES = ["-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)), (0, (3, 1.5)), (0, (8, 3))]

# The page replaces exactly these colours when it shows a figure in the dark (app/page/style.h).
INK, MUTED, GRID, PAPER = "#1d2126", "#5c636b", "#d7dbdf", "#ffffff"

# The width of a phone, so that a point of type is about a pixel there.
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
    """An input that cannot be drawn; the message names the file and the reason."""


@dataclass
class Run:
    """One report or plan with its place in a sweep: the axes' values and the number of the repetition."""

    path: str
    report: dict
    point: dict = field(default_factory=dict)
    repetition: int = 0

    def figure(self, name):
        return metric(name).of(self.report)

    @property
    def tok_per_s(self):
        return self.figure("tok_per_s") or 0.0

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
    """Returns the document in the file, which must be one of `kinds`, in the version known here."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as problem:
        raise BadInput(f"{path}: the file cannot be read: {problem}") from None
    try:
        document = json.loads(text)
    except json.JSONDecodeError as problem:
        document = unfinished_array(text)
        if document is None:
            raise BadInput(f"{path}: the file is not JSON: {problem}") from None
    match = re.fullmatch(r"spillway\.([a-z]+)/([0-9]+)", str(schema_of(document)))
    if not match or match[1] not in kinds:
        wanted = " or ".join(f"spillway.{kind}/{VERSIONS[kind]}" for kind in kinds)
        raise BadInput(f"{path}: the schema is {schema_of(document)!r}, but {wanted} is needed")
    if int(match[2]) != VERSIONS[match[1]]:
        known = f"spillway.{match[1]}/{VERSIONS[match[1]]}"
        raise BadInput(f"{path}: the schema is {match[0]}, but this version draws {known}")
    return document


def unfinished_array(text):
    """Returns the timeline of a killed run, which has no closing bracket and whose last line may be incomplete."""
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
    """Returns the results of these kinds in the files. Points of runs that failed are left out and counted on
    stderr."""
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
        print(f"{missing} of {len(paths)} points have no {' or '.join(results)} and are left out", file=sys.stderr)
    if not found:
        raise BadInput(f"{paths[0]}: there is no {' or '.join(results)} in the {len(paths)} files")
    return found


def label(run, among):
    """Returns the label of a run: the values of its sweep's axes that vary, or the name of its file."""
    varying = [key for key in run.point if len({str(other.point.get(key)) for other in among}) > 1]
    if not varying:
        return os.path.splitext(os.path.basename(run.path))[0]
    return ", ".join(short_value(run.point[key]) for key in varying)


def short_value(value):
    """Returns a value such as `uring:depth=64,chunk=1MiB`, cut off if it is long."""
    text = str(value)
    return text if len(text) <= 34 else text[:33] + "…"


@dataclass
class Metric:
    """A row of figures.json: where a figure is in a result, and how an axis calls it and counts it."""

    name: str
    label: str
    unit: str
    more_is_better: bool
    axis_unit: str = ""
    axis_scale: float = 1.0
    report: str = ""  # keys with a slash between them; empty: results of that schema do not have the figure
    per: str = ""  # in a report: what the figure is divided by
    only_if: str = ""  # in a report: the figure means something where this is above 0
    plan: str = ""
    curve_point: str = ""

    @property
    def axis_label(self):
        return f"{self.label} ({self.axis_unit})" if self.axis_unit else self.label

    def of(self, result):
        """The figure in its own unit, or None."""
        if schema_of(result).startswith("spillway.plan/"):
            return at(result, self.plan)
        value = at(result, self.report)
        per = at(result, self.per) if self.per else 1
        means_something = not self.only_if or (at(result, self.only_if) or 0) > 0
        return value / per if value is not None and per and means_something else None


def read_metrics():
    """The program's own table of figures. figures.json lies in share/ of the source tree, and beside the folder of these
    scripts where they are installed."""
    above = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    places = [os.path.join(above, "share", "figures.json"), os.path.join(above, "figures.json")]
    for place in places:
        if os.path.exists(place):
            with open(place, encoding="utf-8") as file:
                return {row["name"]: Metric(**row) for row in json.load(file)["figures"]}
    sys.exit(print(f"{places[1]} is missing: `spillway list figures --json {places[1]}` writes it", file=sys.stderr) or 1)


METRICS = read_metrics()


def at(document, path):
    """Returns the value at `a/b/c`, or None."""
    for key in path.split("/"):
        document = document.get(key) if isinstance(document, dict) else None
    return document


def metric(name):
    if name not in METRICS:
        raise BadInput(f"there is no figure {name!r}; the figures are: {', '.join(METRICS)}")
    return METRICS[name]


UNITS = {"": 1, "B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30,
         "TiB": 2**40}


def amount_of(text):
    """Returns the number that `3`, `0.5`, `10GB` or `3.5GB/s` stands for, or None for a word."""
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
    """Formats a number with three significant digits, like the tables."""
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f}"


def bytes_text(count):
    """Formats bytes as `3.06 MB`, or as `4 GB` if the decimals are zero."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            text = significant(count / size)
            return f"{text.rstrip('0').rstrip('.') if '.' in text else text} {unit}"
    return f"{count:.0f} B"


def time_unit(seconds):
    """Returns the unit in which `seconds` reads well, and how many of that unit make a second."""
    for unit, per_second in (("s", 1), ("ms", 1e3), ("µs", 1e6)):
        if seconds * per_second >= 1:
            return unit, per_second
    return "ns", 1e9


def byte_scale(largest):
    """Returns the unit for an axis of bytes, and the number of bytes in it."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if largest >= size:
            return unit, size
    return "B", 1


def new_figure(height_in):
    return Figure(figsize=(WIDTH_IN, height_in), layout="constrained")


def series_style(index):
    """Returns colour, marker and dashes of line number `index`. No two of the first 36 share both colour and dashes."""
    turn = index // 6
    return {"color": SERIES[index % 6], "marker": MARKERS[(index + 2 * turn) % 6], "linestyle": DASHES[(index + turn) % 6]}


def legend_above(axes, title=None):
    """Places the legend where no line can run through it. The figure grows by the height of the rows beyond three, so
    that the lines keep their room."""
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
    """Makes a legend that reads row by row, although matplotlib fills columns first. `title` names the legend's
    axis."""
    columns = legend_columns(labels)
    rows = -(-len(labels) // columns)
    order = [row * columns + column for column in range(columns) for row in range(rows)]
    order = [index for index in order if index < len(labels)]
    axes.legend([handles[index] for index in order], [labels[index] for index in order], title=title, alignment="left",
                ncol=columns, handlelength=2.6, columnspacing=1.2, borderpad=0.2, **where)


def size_axis(axis, smallest, largest):
    """Makes an axis of bytes logarithmic."""
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
    """Parses the command line, draws the figure and saves it."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("inputs", nargs="+", metavar="IN.json", help="a file of results")
    parser.add_argument("-o", "--output", required=True, metavar="OUT",
                        help="the file to write, ending in .svg or .png; - writes SVG to stdout")
    if add_options:
        add_options(parser)
    options = parser.parse_args()
    if options.output != "-" and not options.output.endswith((".svg", ".png")):
        parser.error(f"--output {options.output}: the name must end in .svg or .png")
    try:
        with matplotlib.rc_context({**matplotlib.rcParamsDefault, **STYLE, "backend": "agg"}):
            save(draw(options), options.output)
    except BadInput as problem:
        named = any(path in str(problem) for path in options.inputs)
        where = "" if named else f"{', '.join(options.inputs)}: "
        sys.exit(f"{os.path.basename(sys.argv[0])}: {where}{problem}")
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        sys.exit(f"{os.path.basename(sys.argv[0])}: {options.inputs[0]}: not as its schema demands: {problem!r}")
    except OSError as problem:
        sys.exit(f"{os.path.basename(sys.argv[0])}: {problem}")
