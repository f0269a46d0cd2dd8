#include <array>

#include "app/cli/json_keys.h"
#include "app/page/results.h"
#include "core/json.h"
#include "core/parse_json.h"
#include "host/file.h"

namespace spillway::page {
namespace {

constexpr size_t kMostLine = 64 * kKiB;

// Reads the lines of a file of any length, one at a time.
class Lines {
 public:
  explicit Lines(const InputFile& file) : file_(file) {}

  // Returns false at the end, and at a line that is longer than any that Spillway writes.
  bool next(std::string& line) {
    line.clear();
    while (line.size() <= kMostLine) {
      if (at_ == filled_ && !fill()) {
        return !line.empty();
      }
      const char c = char(block_[at_++]);
      if (c == '\n') {
        return true;
      }
      line += c;
    }
    return false;
  }

 private:
  bool fill() {
    const Result<size_t> got = file_.read_at(offset_, block_);
    filled_ = got.value_or(0);
    offset_ += filled_;
    at_ = 0;
    return filled_ > 0;
  }

  const InputFile& file_;
  std::array<uint8_t, 64 * kKiB> block_{};
  uint64_t offset_ = 0;
  size_t at_ = 0;
  size_t filled_ = 0;
};

// The times inside a pass. A pass is written when it is over, so it follows its parts in the file.
struct Inside {
  double stall_s = 0;
  double compute_s = 0;
};

// Adds one event of the file to the sums. An event that Spillway does not write adds nothing.
void add(JsonKeys& event, Inside& inside, TimelineResult& sums) {
  const std::string phase = event.text("ph", "");
  if (phase == "M" && event.text("name", "") == "process_name") {
    sums.title = event.child("args").text("name");
  }
  if (phase != "X") {
    return;
  }
  // The tracks are numbered from the top: tokens, layers, compute, stalls, reads (app/report/timeline.cc).
  const double seconds = event.real("dur") / 1e6;
  const uint32_t track = event.count("tid");
  if (track == 1) {
    if (event.child("args").text("phase") == "decode") {
      ++sums.tokens;
      sums.wall_s += seconds;
      sums.stall_s += inside.stall_s;
      sums.compute_s += inside.compute_s;
    }
    inside = {};
  } else if (track == 3) {
    inside.compute_s += seconds;
  } else if (track == 4) {
    inside.stall_s += seconds;
  } else if (track > 4) {
    ++sums.reads;
  }
}

}  // namespace

std::optional<Result<TimelineResult>> read_timeline(const std::string& path) {
  Result<InputFile> file = InputFile::open(path);
  std::array<uint8_t, 4096> head{};
  const Result<size_t> got = file ? file->read_at(0, head) : Result<size_t>(0);
  const std::string_view begin(reinterpret_cast<const char*>(head.data()), got.value_or(0));
  if (!begin.starts_with("[") || begin.find("\"schema\":\"spillway.timeline/") == std::string_view::npos) {
    return std::nullopt;
  }
  if (begin.find("\"schema\":\"spillway.timeline/1\"") == std::string_view::npos) {
    return failed("{}: the timeline has another version than spillway.timeline/1", path);
  }
  TimelineResult sums;
  sums.path = path;
  Inside inside;
  Lines lines(*file);
  for (std::string line; lines.next(line);) {
    if (line.ends_with(',')) {
      line.pop_back();
    }
    if (!line.starts_with('{')) {
      sums.complete = line == "]";
      continue;
    }
    const Result<Json> event = parse_json(line, {.most_bytes = kMostLine});
    if (!event) {
      break;  // a run that was killed leaves half a line
    }
    JsonKeys keys(*event);
    add(keys, inside, sums);
    if (keys.problem()) {
      return failed("{}: {}", path, keys.problem()->message);
    }
  }
  return sums;
}

}  // namespace spillway::page
