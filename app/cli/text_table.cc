#include "app/cli/text_table.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <string_view>

#include "app/cli/command.h"
#include "core/expects.h"
#include "model/text/utf8.h"

namespace spillway {
namespace {

// Text in a column narrower than this is harder to read than a line that the terminal breaks.
constexpr size_t kLeastWrapped = 20;

size_t leading_blanks(std::string_view text) {
  return std::min(text.find_first_not_of(' '), text.size());
}

// Returns how many bytes of `text` fit into `width`: whole words, and at least one word.
size_t bytes_that_fit(std::string_view text, size_t width) {
  size_t fits = 0;
  for (size_t end = leading_blanks(text); end < text.size(); end += leading_blanks(text.substr(end))) {
    end = std::min(text.find(' ', end), text.size());
    if (fits > 0 && display_width(text.substr(0, end)) > width) {
      break;
    }
    fits = end;
  }
  return fits;
}

std::vector<std::string_view> wrapped(std::string_view text, size_t width) {
  if (display_width(text) <= width) {
    return {text};
  }
  std::vector<std::string_view> lines;
  do {
    const size_t fits = bytes_that_fit(text, width);
    lines.push_back(text.substr(0, fits));
    text.remove_prefix(fits);
    text.remove_prefix(leading_blanks(text));
  } while (!text.empty());
  return lines;
}

void end_line(std::string& out) {
  out.resize(out.find_last_not_of(' ') + 1);
  out += '\n';
}

void append_line(const std::string& text, std::optional<size_t> width, std::string& out) {
  const size_t indent = leading_blanks(text);
  const bool wraps = width && *width >= indent + kLeastWrapped;
  for (const std::string_view line :
       wrapped(std::string_view(text).substr(indent), wraps ? *width - indent : text.size())) {
    out.append(indent, ' ');
    out += line;
    end_line(out);
  }
}

}  // namespace

std::optional<size_t> output_width(int descriptor) {
  if (const char* columns = std::getenv("COLUMNS"); columns != nullptr) {
    if (const Result<uint64_t> width = parse_count(columns, {.least = 1, .most = 100'000})) {
      return *width;
    }
  }
  winsize size{};
  const bool is_terminal = ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return is_terminal ? std::optional<size_t>(size.ws_col) : std::nullopt;
}

void TextTable::row(std::vector<std::string> cells) {
  Expects(cells.size() <= columns_.size());
  rows_.push_back({std::move(cells), false});
}

void TextTable::line(std::string text) {
  rows_.push_back({{std::move(text)}, true});
}

bool TextTable::goes_across(const std::vector<std::string>& cells, size_t index) const {
  return index + 1 == cells.size() && cells.size() < columns_.size() && columns_[index].align == Align::left;
}

std::vector<size_t> TextTable::widths(std::optional<size_t> width) const {
  std::vector<size_t> widths;
  size_t total = 0;
  for (const Column& column : columns_) {
    widths.push_back(column.least);
    total += column.gap;
  }
  for (const Row& row : rows_) {
    for (size_t i = 0; i < row.cells.size() && !row.across; ++i) {
      widths[i] = std::max(widths[i], goes_across(row.cells, i) ? 0 : display_width(row.cells[i]));
    }
  }
  total = std::accumulate(widths.begin(), widths.end(), total);
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i].wraps && width && total > *width) {
      const size_t too_wide = total - *width;
      widths[i] = std::min(widths[i], std::max(widths[i], too_wide + kLeastWrapped) - too_wide);
    }
  }
  return widths;
}

void TextTable::append_row(const std::vector<std::string>& cells, const std::vector<size_t>& widths,
                           std::string& out) const {
  std::vector<std::vector<std::string_view>> lines;
  size_t height = 0;
  for (size_t i = 0; i < cells.size(); ++i) {
    lines.push_back(
        wrapped(cells[i], columns_[i].wraps && !goes_across(cells, i) ? widths[i] : cells[i].size()));
    height = std::max(height, lines.back().size());
  }
  for (size_t line = 0; line < height; ++line) {
    for (size_t i = 0; i < cells.size(); ++i) {
      const std::string_view cell = line < lines[i].size() ? lines[i][line] : std::string_view();
      const size_t taken = std::min(display_width(cell), widths[i]);
      out.append(columns_[i].gap + (columns_[i].align == Align::right ? widths[i] - taken : 0), ' ');
      out += cell;
      out.append(columns_[i].align == Align::left ? widths[i] - taken : 0, ' ');
    }
    end_line(out);
  }
}

std::string TextTable::text(std::optional<size_t> width) const {
  const std::vector<size_t> widths = this->widths(width);
  std::string out;
  for (const Row& row : rows_) {
    if (row.across) {
      append_line(row.cells.front(), width, out);
    } else {
      append_row(row.cells, widths, out);
    }
  }
  return out;
}

}  // namespace spillway
