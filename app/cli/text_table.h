#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace spillway {

// Returns how wide lines may be: $COLUMNS, or else the width of the terminal at `descriptor`. Nothing for a
// file or a pipe: lines are not broken there.
std::optional<size_t> output_width(int descriptor = 1);

// Rows of cells in columns as wide as their widest cell. A line break follows each row.
class TextTable {
 public:
  enum class Align { left, right };

  struct Column {
    Align align = Align::left;
    size_t least = 0;  // least width, whatever the cells need
    size_t gap = 2;    // blanks before the column; of the first column, before every row
    // True for the column that is narrowed if rows are wider than the output: its cells are broken between
    // words. At most one column of a table.
    bool wraps = false;
  };

  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // Adds a row. Cells are printable and hold no line breaks. If a row has fewer cells than there are columns,
  // its last cell extends over the rest, provided that it is aligned to the left.
  void row(std::vector<std::string> cells);
  // Adds a line between rows, across all columns.
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
