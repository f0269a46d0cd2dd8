"""Converts the formats of documentation to plain text."""

import html
import re

# Requests of the man macros for typesetting, which carry no text. A request
# is recognised by its beginning, so ".in" stands for ".in +4n" as well.
TYPESETTING = (
    '.\\"', "'\\\"", ".de", ".ds", ".nr", ".if", ".ie", ".el", ".tr", ".so",
    ".PD", ".hy", ".ad", ".nh", ".ne", ".sp", ".RS", ".RE", ".nf", ".fi",
    ".in", ".ft", ".EX", ".EE",
)
HEADINGS = (".SH", ".SS")
PARAGRAPHS = (".TP", ".P", ".LP", ".IP")
TITLE = re.compile(r'\.TH\s+"?([^"\s]+)"?\s+"?([^"\s]+)')

FONT_CHANGE = re.compile(r"\\f[BIRP1234]|\\f\(..|\\f\[.*?\]")
CHARACTERS = {
    "\\-": "-", "\\(aq": "'", "\\(lq": '"', "\\(rq": '"', "\\&": "",
    "\\e": "\\",
}
# Named characters that CHARACTERS lacks, and the spacing escapes.
OTHER_ESCAPE = re.compile(r"\\\[.*?\]|\\\(..|\\[|^/,%]")


def from_plain(text):
    """Returns the text unchanged: it is plain already."""
    return text


def from_html(text):
    """Removes a page's markup; each block becomes one line or more."""
    text = re.sub(r"(?is)<(script|style|head|nav).*?</\1>", "", text)
    text = re.sub(
        r"(?i)</?(p|div|br|li|tr|h\d|pre|dt|dd|table|ul|ol|section)[^>]*>",
        "\n", text)
    text = html.unescape(re.sub(r"<[^>]+>", "", text))
    text = re.sub(r"\n[ \t]+\n", "\n\n", text)
    return re.sub(r"\n\s*\n\s*\n+", "\n\n", text)


def from_man(text):
    """Removes a man page's macros, fonts and special characters."""
    lines = (man_line(line) for line in text.split("\n"))
    return "\n".join(line for line in lines if line is not None)


def man_line(line):
    """Returns a man page's line as text; None if it only sets type."""
    if line.startswith(TYPESETTING):
        return None
    if line.startswith(".TH"):
        title = TITLE.match(line)
        return f"{title[1]}({title[2]})\n" if title else None
    if line.startswith(HEADINGS):
        return "\n" + line[3:].strip().strip('"')
    if line.startswith(PARAGRAPHS):
        has_mark = line.startswith(".IP")  # the list item's bullet or term
        return "\n" + (argument(line).strip('"') if has_mark else "")
    if line.startswith("."):
        line = argument(line).replace('"', "")
    return without_escapes(line)


def argument(line):
    """Returns the text behind a request's name, as in ".B text"."""
    words = line.split(None, 1)
    return words[1] if len(words) > 1 else ""


def without_escapes(line):
    """Replaces troff's escapes by the characters that they print."""
    line = FONT_CHANGE.sub("", line)
    for escape, character in CHARACTERS.items():
        line = line.replace(escape, character)
    return OTHER_ESCAPE.sub("", line)


def from_fortunes(text):
    """Replaces a fortune file's separators by empty lines."""
    return text.replace("\n%\n", "\n\n")


def tidy(text):
    """Removes carriage returns, trailing blanks, runs of empty lines."""
    text = re.sub(r"[ \t]+\n", "\n", text.replace("\r", ""))
    return re.sub(r"\n{3,}", "\n\n", text).strip()
