#include "traces/import/rows.h"

#include <algorithm>

namespace spillway {
namespace {

constexpr size_t kChunkBytes = 64U << 10;
constexpr size_t kLongestLine = 64U << 20;

}  // namespace

Result<RowReader> RowReader::open(const std::string& path, std::function<void(uint64_t)> progress) {
  Result<PlainInput> file = PlainInput::open(path);
  if (!file) {
    return propagate(file);
  }
  return RowReader(std::move(*file), std::move(progress));
}

Result<bool> RowReader::next(std::string_view& line) {
  for (;;) {
    const size_t end = buffer_.find('\n', scanned_);
    if (end != std::string::npos || (at_end_ && begin_ < buffer_.size())) {
      const size_t stop = std::min(end, buffer_.size());
      line = std::string_view(buffer_).substr(begin_, stop - begin_);
      begin_ = scanned_ = std::min(stop + 1, buffer_.size());
      if (line.ends_with('\r')) {
        line.remove_suffix(1);
      }
      if (number_++ == 0 && line.starts_with(kByteOrderMark)) {
        line.remove_prefix(kByteOrderMark.size());
      }
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

Result<void> RowReader::refill() {
  buffer_.erase(0, begin_);
  begin_ = 0;
  const size_t kept = scanned_ = buffer_.size();
  if (kept > kLongestLine) {
    return failed("{}:{}: a line of more than {} bytes; this is not a text file", path(), number_ + 1, kept);
  }
  buffer_.resize(kept + kChunkBytes);
  Result<size_t> got =
      file_.read_at(offset_, std::span(reinterpret_cast<uint8_t*>(buffer_.data()) + kept, kChunkBytes));
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

Result<void> RowImport::run() {
  if (Result<void> begun = begin(); !begun) {
    return begun;
  }
  for (std::string_view line;;) {
    Result<bool> more = rows_.next(line);
    if (!more) {
      return propagate(more);
    }
    if (!*more) {
      return end();
    }
    if (line.empty() || line.starts_with('#')) {
      continue;
    }
    if (Result<void> added = add(line); !added) {
      return added;
    }
  }
}

std::string_view take_text(std::string_view& rest) {
  const size_t comma = rest.find(',');
  const std::string_view field = rest.substr(0, comma);
  rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
  return field;
}

}  // namespace spillway
