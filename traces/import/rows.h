#pragma once

#include <algorithm>
#include <charconv>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

#include "host/file.h"

namespace spillway {

// The lines of a text file of any size, one at a time, without their ends (`\n` or `\r\n`).
class LineReader {
 public:
  // `progress`, unless empty, is told now and then how many bytes were read.
  static Result<LineReader> open(const std::string& path, std::function<void(uint64_t)> progress = {}) {
    Result<InputFile> file = InputFile::open(path);
    if (!file) {
      return propagate(file);
    }
    return LineReader(std::move(*file), std::move(progress));
  }

  // False at the end. `line` is valid until the next call.
  Result<bool> next(std::string_view& line) {
    for (;;) {
      const size_t end = buffer_.find('\n', scanned_);
      if (end != std::string::npos || (at_end_ && begin_ < buffer_.size())) {
        const size_t stop = std::min(end, buffer_.size());
        line = std::string_view(buffer_).substr(begin_, stop - begin_);
        begin_ = scanned_ = std::min(stop + 1, buffer_.size());
        if (line.ends_with('\r')) {
          line.remove_suffix(1);
        }
        ++number_;
        return true;
      }
      if (at_end_) {
        return false;
      }
      if (Result<void> more = refill(); !more) {
        return propagate(more);
      }
    }
  }

  uint64_t number() const { return number_; }  // of the last line, from 1
  const std::string& path() const { return file_.path(); }

 private:
  static constexpr size_t kChunkBytes = 1U << 20;
  static constexpr size_t kLongestLine = 64U << 20;

  LineReader(InputFile file, std::function<void(uint64_t)> progress)
      : file_(std::move(file)), progress_(std::move(progress)) {}

  Result<void> refill() {
    buffer_.erase(0, begin_);
    begin_ = 0;
    const size_t kept = scanned_ = buffer_.size();
    if (kept > kLongestLine) {
      return failed("{}:{}: a line of more than {} bytes; this is not a text file", path(), number_ + 1,
                    kept);
    }
    buffer_.resize(kept + kChunkBytes);
    Result<size_t> got =
        file_.read_at(offset_, {reinterpret_cast<uint8_t*>(buffer_.data()) + kept, kChunkBytes});
    if (!got) {
      return propagate(got);
    }
    buffer_.resize(kept + *got);
    offset_ += *got;
    if (progress_) {
      progress_(offset_);
    }
    at_end_ = *got < kChunkBytes;
    return {};
  }

  InputFile file_;
  std::function<void(uint64_t)> progress_;
  std::string buffer_;
  size_t begin_ = 0;    // of the next line
  size_t scanned_ = 0;  // no line end in [begin_, scanned_)
  uint64_t offset_ = 0;
  uint64_t number_ = 0;
  bool at_end_ = false;
};

// Takes the text up to the next comma off the front of `rest` and reads all of it as a number.
template <class T>
bool take_field(std::string_view& rest, T& value) {
  const size_t comma = rest.find(',');
  const std::string_view field = rest.substr(0, comma);
  rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
  const auto [end, problem] = std::from_chars(field.data(), field.data() + field.size(), value);
  return problem == std::errc{} && end == field.data() + field.size();
}

}  // namespace spillway
