#include "app/page/html.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "app/cli/printable.h"
#include "app/page/style.h"

namespace spillway::page {
namespace {

using Out = std::back_insert_iterator<std::string>;

// Content security policy: the page may fetch nothing and run nothing, whatever a result file contains.
constexpr const char* kPolicy =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

// Removes every text from `begin` to the next `end`, both included.
void cut_all(std::string& text, std::string_view begin, std::string_view end) {
  for (size_t at = 0; (at = text.find(begin, at)) != std::string::npos;) {
    const size_t stop = text.find(end, at);
    text.erase(at, stop == std::string::npos ? std::string::npos : stop + end.size() - at);
  }
}

void cells(Out out, const std::vector<Cell>& row, const char* tag) {
  // Columns are narrow enough for numbers. A longer text needs a wider column, or each word gets a line.
  constexpr size_t kLong = 24;
  fmt::format_to(out, "<tr>");
  for (const Cell& cell : row) {
    const bool is_long = std::max(cell.text.size(), cell.detail.size()) > kLong;
    fmt::format_to(out, "<{}{}>{}", tag,
                   cell.number ? " class=\"number\""
                   : is_long   ? " class=\"long\""
                               : "",
                   cell.link.empty()
                       ? escaped(cell.text)
                       : fmt::format("<a href=\"{}\">{}</a>", escaped(cell.link), escaped(cell.text)));
    if (!cell.detail.empty()) {
      fmt::format_to(out, "<br><span class=\"note\">{}</span>", escaped(cell.detail));
    }
    fmt::format_to(out, "</{}>", tag);
  }
  fmt::format_to(out, "</tr>\n");
}

void open_table(Out out, const Table& table) {
  fmt::format_to(out, "<div class=\"scroll\" tabindex=\"0\"><table>\n<thead>");
  cells(out, table.head, "th");
  fmt::format_to(out, "</thead>\n<tbody>\n");
  for (const std::vector<Cell>& row : table.rows) {
    cells(out, row, "td");
  }
  fmt::format_to(out, "</tbody></table></div>\n");
}

void table(Out out, const Table& table) {
  if (table.rows.empty()) {
    return;
  }
  // A long table is folded, so that the reader sees the next question.
  constexpr size_t kMostOpen = 16;
  const bool folded = table.rows.size() > kMostOpen;
  if (folded) {
    fmt::format_to(out, "<details><summary>Table of {} rows</summary>\n", table.rows.size());
  }
  open_table(out, table);
  if (!table.note.empty()) {
    fmt::format_to(out, "<p class=\"note\">{}</p>\n", escaped(table.note));
  }
  fmt::format_to(out, "{}", folded ? "</details>\n" : "");
}

void figure(Out out, const Section& section) {
  if (!section.figure.empty()) {
    fmt::format_to(out, "<figure>{}<figcaption>{}</figcaption></figure>\n", section.figure,
                   escaped(section.caption));
  } else if (!section.no_figure.empty()) {
    fmt::format_to(out, "<p class=\"note\">Not drawn: {}</p>\n", escaped(section.no_figure));
  }
}

void provenance(Out out, const Section& section) {
  if (section.facts.empty() && section.commands.empty()) {
    return;
  }
  fmt::format_to(out, "<details><summary>Machine and command{}</summary>\n",
                 section.commands.size() == 1 ? "" : "s");
  for (const std::string& fact : section.facts) {
    fmt::format_to(out, "<p class=\"muted\">{}</p>\n", escaped(fact));
  }
  if (!section.commands.empty()) {
    std::string lines;
    for (const std::string& command : section.commands) {
      lines += command + "\n";
    }
    fmt::format_to(out, "<pre>{}</pre>\n", escaped(lines));
  }
  fmt::format_to(out, "</details>\n");
}

void section(Out out, const Section& section, size_t number) {
  fmt::format_to(out, "<section id=\"q{}\">\n<h2>{}</h2>\n<p class=\"answer\">{}</p>\n", number,
                 escaped(section.question), escaped(section.answer));
  for (const std::string& caution : section.cautions) {
    fmt::format_to(out, "<p class=\"caution\">{}</p>\n", escaped(caution));
  }
  figure(out, section);
  table(out, section.table);
  provenance(out, section);
  fmt::format_to(out, "</section>\n");
}

// Returns the first and the last line of an answer, which says the same about several points along an axis.
std::string in_short(const std::string& answer) {
  const size_t first = answer.find('\n');
  return first == std::string::npos ? answer
                                    : answer.substr(0, first) + ' ' + answer.substr(answer.rfind('\n') + 1);
}

// The page begins with what was found: each question with its answer in short, and where the answer is from.
void findings(Out out, const Page& page) {
  if (page.sections.size() < 2) {
    return;
  }
  Table all{.head = {{"Question"}, {"Finding"}}};
  for (size_t i = 0; i < page.sections.size(); ++i) {
    const Section& section = page.sections[i];
    all.rows.push_back({{.text = section.question, .link = fmt::format("#q{}", i + 1)},
                        {.text = in_short(section.answer), .detail = section.source}});
  }
  fmt::format_to(out, "<nav aria-label=\"Findings\">\n");
  open_table(out, all);
  fmt::format_to(out, "</nav>\n");
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string html;
  for (size_t at = 0; at < text.size();) {
    // Characters that are unsafe on a terminal are replaced on a page too. Line breaks and backslashes are
    // kept: lines stay lines, and a reader can copy a command.
    const size_t end = std::min(text.find_first_of("\n\\", at), text.size());
    for (const char c : printable(text.substr(at, end - at))) {
      switch (c) {
        case '&':
          html += "&amp;";
          break;
        case '<':
          html += "&lt;";
          break;
        case '>':
          html += "&gt;";
          break;
        case '"':
          html += "&quot;";
          break;
        default:
          html += c;
      }
    }
    if (end < text.size()) {
      html += text[end];
    }
    at = end + 1;
  }
  return html;
}

std::string to_html(const Page& page) {
  std::string html;
  const Out out(html);
  fmt::format_to(
      out,
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n"
      "<link rel=\"icon\" href=\"data:,\">\n<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n"
      "<header>\n<h1>{}</h1>\n<p class=\"muted\">{}</p>\n",
      kPolicy, escaped(page.title), kStyle, escaped(page.title), escaped(page.about));
  findings(out, page);
  fmt::format_to(out, "</header>\n<main>\n");
  for (size_t i = 0; i < page.sections.size(); ++i) {
    section(out, page.sections[i], i + 1);
  }
  fmt::format_to(out, "</main>\n<footer>\n");
  for (const std::string& line : page.unanswered) {
    fmt::format_to(out, "<p>Not answered: {}</p>\n", escaped(line));
  }
  if (!page.left_out.empty()) {
    fmt::format_to(out, "<p class=\"muted\">Left out:</p>\n<pre>");
    for (const std::string& line : page.left_out) {
      fmt::format_to(out, "{}\n", escaped(line));
    }
    fmt::format_to(out, "</pre>\n");
  }
  fmt::format_to(out, "<p class=\"muted\">{}</p>\n</footer>\n</body>\n</html>\n", escaped(page.colophon));
  return html;
}

std::string inline_svg(std::string svg, const std::string& prefix) {
  svg.erase(0, std::min(svg.find("<svg"), svg.size()));
  cut_all(svg, "<metadata", "</metadata>\n");
  // The figure's style would apply to the whole page; style.cc has the same rules for figures only.
  cut_all(svg, "<style", "</style>\n");
  cut_all(svg, "<!--", "-->\n");
  replace_all(svg, " id=\"", " id=\"" + prefix);
  replace_all(svg, "url(#", "url(#" + prefix);
  replace_all(svg, "xlink:href=\"#", "xlink:href=\"#" + prefix);
  for (const Themed& colour : kThemed) {
    replace_all(svg, colour.hex, colour.variable);
  }
  return svg;
}

}  // namespace spillway::page
