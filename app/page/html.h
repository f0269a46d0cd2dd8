#pragma once

#include <string>
#include <string_view>
#include <vector>

// What a result page is made of, and how that is written as HTML. All texts are plain: they are escaped here
// and nowhere else.
namespace spillway::page {

struct Cell {
  std::string text{};
  bool number = false;      // set to the right
  std::string detail = {};  // below the text, in small
};

struct Table {
  std::vector<Cell> head{};
  std::vector<std::vector<Cell>> rows{};
  std::string note{};  // below: what was cut, what a column means; may be empty
};

// One question and what is known about it.
struct Section {
  std::string question{};
  std::string answer{};                 // in lines
  std::vector<std::string> cautions{};  // what a reader must know before believing the answer
  std::string figure{};                 // SVG; empty: there is none
  std::string caption{};                // of the figure, and what stands for it where it cannot be seen
  std::string no_figure{};              // why there is none
  Table table{};
  std::vector<std::string> facts{};  // machine, storage, version, date: a line each
  std::vector<std::string> commands{};
};

struct Page {
  std::string title{};
  std::string about{};
  std::vector<Section> sections{};
  std::vector<std::string> left_out{};
  std::string colophon{};
};

std::string escaped(std::string_view text);

// One document, of which nothing lies elsewhere.
std::string to_html(const Page& page);

// A figure of plots/ as part of a page: without what only a file of its own has, its names apart from those
// of other figures (`prefix`), and its four neutral colours those of the page, dark or light.
std::string inline_svg(std::string svg, const std::string& prefix);

}  // namespace spillway::page
