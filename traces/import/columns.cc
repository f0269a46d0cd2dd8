#include "traces/import/columns.h"

#include <algorithm>

namespace spillway {
namespace {

// Returns the place of the comma behind the cell that begins at `begin`, or the end of the row. A quote
// begins a cell that may have commas in it; two quotes in a row stand for one that is text.
size_t end_of_cell(std::string_view row, size_t begin) {
  if (begin >= row.size() || row[begin] != '"') {
    return std::min(row.find(',', begin), row.size());
  }
  bool quoted = false;
  for (size_t at = begin; at < row.size(); ++at) {
    if (row[at] == '"') {
      quoted = !quoted;
    } else if (row[at] == ',' && !quoted) {
      return at;
    }
  }
  return row.size();
}

// Removes blanks and quotes around a cell.
std::string_view bare(std::string_view cell) {
  while (cell.starts_with(' ')) {
    cell.remove_prefix(1);
  }
  while (cell.ends_with(' ')) {
    cell.remove_suffix(1);
  }
  const bool quoted = cell.size() >= 2 && cell.starts_with('"') && cell.ends_with('"');
  return quoted ? cell.substr(1, cell.size() - 2) : cell;
}

void cut_into(std::string_view row, std::vector<std::string_view>& cells) {
  cells.clear();
  for (size_t begin = 0; begin <= row.size();) {
    const size_t end = end_of_cell(row, begin);
    cells.push_back(bare(row.substr(begin, end - begin)));
    begin = end + 1;
  }
}

}  // namespace

Result<Columns> Columns::of(std::string_view names, const std::vector<std::string_view>& needed,
                            const std::vector<std::string_view>& known) {
  std::vector<std::string_view> found;
  cut_into(names, found);
  for (const std::string_view name : needed) {
    if (std::find(found.begin(), found.end(), name) == found.end()) {
      return failed("has no column '{}'; the columns are '{}'", name, names.substr(0, 200));
    }
  }
  Columns columns;
  columns.names_ = names;
  columns.count_ = found.size();
  for (const std::string_view name : known) {
    const auto place = std::find(found.begin(), found.end(), name);
    if (std::count(place, found.end(), name) > 1) {
      return failed("has the column '{}' twice; the columns are '{}'", name, names.substr(0, 200));
    }
    columns.places_.push_back(place == found.end() ? std::nullopt
                                                   : std::optional<size_t>(place - found.begin()));
  }
  return columns;
}

bool Columns::cut(std::string_view row) {
  cut_into(row, cells_);
  return cells_.size() == count_;
}

}  // namespace spillway
