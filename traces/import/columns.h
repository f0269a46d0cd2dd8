#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace spillway {

// Finds the columns of a table of text by their names, in whatever order they are. Columns that nobody asks
// for do no harm.
class Columns {
 public:
  // Reads the line of names. Fails when one of `needed` is missing, or one of `known` is there twice; `known`
  // are the columns that are read.
  static Result<Columns> of(std::string_view names, const std::vector<std::string_view>& needed,
                            const std::vector<std::string_view>& known);

  bool has(size_t known) const { return places_[known].has_value(); }

  // Cuts a row into its cells. Returns false unless there are as many as there are names. Cells may stand in
  // quotes. The text must outlive the next calls.
  bool cut(std::string_view row);

  // Returns the cell of column number `known` of the list; empty if the table or the row lacks the column.
  std::string_view cell(size_t known) const {
    const std::optional<size_t> place = places_[known];
    return place && *place < cells_.size() ? cells_[*place] : std::string_view();
  }

  // Reads the whole cell as a number. Returns false if it is not a number. `value` stays as it is if the
  // table lacks the column.
  template <class T>
  bool number(size_t known, T& value) const {
    if (!places_[known]) {
      return true;
    }
    const std::string_view text = cell(known);
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    return problem == std::errc{} && end == text.data() + text.size();
  }

  // The same for a cell that may be empty.
  template <class T>
  bool number(size_t known, std::optional<T>& value) const {
    if (cell(known).empty()) {
      return true;
    }
    return number(known, value.emplace());
  }

  const std::string& names() const { return names_; }

 private:
  std::string names_;
  size_t count_ = 0;                           // of columns
  std::vector<std::optional<size_t>> places_;  // by number in `known`
  std::vector<std::string_view> cells_;
};

}  // namespace spillway
