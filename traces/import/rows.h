#pragma once

#include <charconv>
#include <concepts>
#include <functional>
#include <string>
#include <string_view>

#include "traces/import/import.h"

namespace spillway {

// Some editors begin a text in UTF-8 with it. RowReader leaves it out.
inline constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// Reads a text file of any size line by line, without the line ends (`\n` or `\r\n`), and makes errors
// that name the line.
class RowReader {
 public:
  // `progress`, unless empty, is called now and then with the number of bytes read.
  static Result<RowReader> open(const std::string& path, std::function<void(uint64_t)> progress = {});

  // Returns false at the end. `line` is valid until the next call.
  Result<bool> next(std::string_view& line);

  // Returns an error about the last line: `PATH:LINE: …`.
  template <class... Args>
  Unexpected here(fmt::format_string<Args...> format, Args&&... args) const {
    return failed("{}:{}: {}", path(), number_, fmt::format(format, std::forward<Args>(args)...));
  }

  uint64_t number() const { return number_; }  // of the last line, counted from 1
  const std::string& path() const { return file_.path(); }

 private:
  RowReader(PlainInput file, std::function<void(uint64_t)> progress)
      : file_(std::move(file)), progress_(std::move(progress)) {}

  Result<void> refill();

  PlainInput file_;
  std::function<void(uint64_t)> progress_;
  std::string buffer_;
  size_t begin_ = 0;    // start of the next line
  size_t scanned_ = 0;  // [begin_, scanned_) has no line end
  uint64_t offset_ = 0;
  uint64_t number_ = 0;
  bool at_end_ = false;
};

// Imports a format of rows: reads the file line by line and passes each row to the format, which
// derives from this class.
class RowImport {
 public:
  RowImport(RowReader rows, const ImportOptions& options, const ImportSink& sink)
      : rows_(std::move(rows)), options_(options), sink_(sink) {}
  virtual ~RowImport() = default;

  Result<void> run();

 protected:
  RowReader rows_;
  const ImportOptions& options_;
  const ImportSink& sink_;
  TraceHeader header_;
  Step step_;  // the step under construction

 private:
  // Reads the lines in front of the rows.
  virtual Result<void> begin() { return {}; }
  // Takes one row. Empty lines and comments, which begin with `#`, are skipped.
  virtual Result<void> add(std::string_view line) = 0;
  // Completes the last step.
  virtual Result<void> end() = 0;
};

// Implements Importer::import_file for a format of rows.
template <std::derived_from<RowImport> Format>
Result<void> import_rows(const std::string& path, const ImportOptions& options, const ImportSink& sink) {
  Result<RowReader> rows = RowReader::open(path, sink.progress);
  if (!rows) {
    return propagate(rows);
  }
  return Format(std::move(*rows), options, sink).run();
}

// Removes the text up to the next comma, and the comma, from the front of `rest`. Returns the text.
std::string_view take_text(std::string_view& rest);

// Removes a field from the front of `rest` and reads all of it as a number. Returns false if
// it is not a number.
template <class T>
bool take_field(std::string_view& rest, T& value) {
  const std::string_view field = take_text(rest);
  const auto [end, problem] = std::from_chars(field.data(), field.data() + field.size(), value);
  return problem == std::errc{} && end == field.data() + field.size();
}

}  // namespace spillway
