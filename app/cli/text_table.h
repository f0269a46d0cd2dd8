#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace spillway {

// How wide lines on stdout may be: $COLUMNS, or else the terminal's width. Nothing where stdout is a file or
// a pipe: there a line stays one line.
std::optional<size_t> output_width();

// Rows of cells in columns that are as wide as their widest cell, each with a line break behind it.
class TextTable {
 public:
  enum class Align { left, right };

  struct Column {
    Align align = Align::left;
    size_t least = 0;  // width, whatever its cells need
    size_t gap = 2;    // blanks before the column; of the first, those before every row
    // The column that gives way where rows are wider than the output: its cells are broken between words. At
    // most one of a table.
    bool wraps = false;
  };

  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // Cells are printable, and hold no line breaks. Where a row has fewer cells than there are columns, its
  // last one goes across the rest if it is aligned to the left.
  void row(std::vector<std::string> cells);
  // A line between rows, across all columns.
  void line(std::string text);

  std::string text(std::optional<size_t> width = output_width()) const;

 private:
  struct Row {
    std::vector<std::string> cells;
    bool across = false;
  };

  bool goes_across(const std::vector<std::string>& cells, size_t index) const;
  std::vector<size_t> widths(std::optional<size_t> width) const;
  void append_row(const std::vector<std::string>& cells, const std::vector<size_t>& widths,
                  std::string& out) const;

  std::vector<Column> columns_;
  std::vector<Row> rows_;
};

}  // namespace spillway
