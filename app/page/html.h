#pragma once

#include <string>
#include <string_view>
#include <vector>

// The parts of a result page, and their HTML. All texts are plain: they are escaped here and nowhere else.
namespace spillway::page {

struct Cell {
  std::string text{};
  bool number = false;      // aligned to the right
  std::string detail = {};  // small print below the text
  std::string link = {};    // the place of this page that the text leads to: `#q1`
};

struct Table {
  std::vector<Cell> head{};
  std::vector<std::vector<Cell>> rows{};
  std::string note{};  // below the table: rows that were cut, the meaning of a column; may be empty
};

// One question and its answer.
struct Section {
  std::string question{};
  std::string answer{};                 // may have several lines
  std::vector<std::string> cautions{};  // warnings that limit the answer
  std::string figure{};                 // SVG; empty: no figure
  std::string caption{};                // describes the figure, also to readers who cannot see it
  std::string no_figure{};              // the reason why there is no figure
  Table table{};
  std::vector<std::string> facts{};  // lines with machine, storage, version and date
  std::string source{};              // says where the figures are from, for the table of findings
  std::vector<std::string> commands{};
};

struct Page {
  std::string title{};
  std::string about{};
  std::vector<std::string> unanswered{};  // questions without an answer, each with the reason
  std::vector<Section> sections{};
  std::vector<std::string> left_out{};
  std::string colophon{};
};

std::string escaped(std::string_view text);

// Returns the page as a single HTML document without references to other files.
std::string to_html(const Page& page);

// Makes a figure of plots/ part of a page. Removes the parts that only a separate file needs, puts `prefix`
// before its ids to keep them apart from those of other figures, and replaces its four neutral colours with
// the page's, dark or light.
std::string inline_svg(std::string svg, const std::string& prefix);

}  // namespace spillway::page
