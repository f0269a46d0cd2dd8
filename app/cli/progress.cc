#include "app/cli/progress.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "app/cli/text_table.h"
#include "core/units.h"

namespace spillway {
namespace {

constexpr auto kRedrawEvery = std::chrono::milliseconds(100);
constexpr size_t kWidestBar = 28;
constexpr size_t kNarrowestBar = 8;
constexpr size_t kUsualWidth = 80;

std::string amount(uint64_t value, Progress::Unit unit) {
  return unit == Progress::Unit::bytes ? format_bytes(value) : fmt::format("{}", value);
}

std::string rate_of(double rate, Progress::Unit unit) {
  switch (unit) {
    case Progress::Unit::bytes:
      return fmt::format("{}/s", format_bytes(uint64_t(rate)));
    case Progress::Unit::tokens:
      return fmt::format("{:.1f} tok/s", rate);
    case Progress::Unit::steps:
      break;
  }
  return fmt::format("{:.1f}/s", rate);
}

bool quiet = false;

}  // namespace

void be_quiet() {
  quiet = true;
}

bool is_quiet() {
  return quiet;
}

bool can_redraw(int descriptor) {
  const char* kind = std::getenv("TERM");
  return isatty(descriptor) == 1 && (kind == nullptr || std::string_view(kind) != "dumb");
}

std::string time_left(double seconds) {
  const auto whole = uint64_t(std::min(seconds + 0.5, 1e9));
  if (whole < 60) {
    return fmt::format("{} s left", whole);
  }
  if (whole < 3600) {
    return fmt::format("{} min {:02} s left", whole / 60, whole % 60);
  }
  return fmt::format("{} h {:02} min left", whole / 3600, whole / 60 % 60);
}

std::string progress_line(const ProgressParts& parts, size_t width) {
  // The last column stays free: some terminals wrap once it is written. What matters least is left out first.
  const size_t room = std::max<size_t>(width, 20) - 1;
  std::vector<std::string> pieces;
  for (const std::string* piece : {&parts.amounts, &parts.rate, &parts.left, &parts.more}) {
    if (!piece->empty()) {
      pieces.push_back(*piece);
    }
  }
  const auto length = [&] {
    size_t sum = parts.label.size();
    for (const std::string& piece : pieces) {
      sum += 2 + piece.size();
    }
    return sum;
  };
  while (pieces.size() > 1 && length() > room) {
    // The time that is left is the last to go.
    const bool keeps_first = pieces.front() == parts.left;
    pieces.erase(keeps_first ? pieces.end() - 1 : pieces.begin());
  }
  std::string text = parts.label;
  const size_t used = length();
  if (used + kNarrowestBar + 3 <= room) {
    const size_t bar = std::min(kWidestBar, room - used - 3);
    const auto filled = size_t(parts.share * double(bar));
    text += " [" + std::string(filled, '#') + std::string(bar - filled, '.') + "]";
  }
  const char* separator = " ";
  for (const std::string& piece : pieces) {
    text += separator + piece;
    separator = ", ";
  }
  return text.substr(0, room);
}

Progress::Progress(std::string label, uint64_t total, Unit unit)
    : label_(std::move(label)),
      total_(std::max<uint64_t>(total, 1)),
      unit_(unit),
      terminal_(!is_quiet() && can_redraw(STDERR_FILENO)),
      start_(std::chrono::steady_clock::now()),
      last_(start_) {}

Progress::~Progress() {
  if (drawn_) {
    fmt::print(stderr, "\r\033[K");
    std::fflush(stderr);
  }
}

void Progress::at(uint64_t done) {
  if (!terminal_) {
    return;
  }
  const Instant now = std::chrono::steady_clock::now();
  if (drawn_ && now - last_ < kRedrawEvery) {
    return;
  }
  last_ = now;
  drawn_ = true;
  const double share = std::min(1.0, double(done) / double(total_));
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  const double rate = elapsed > 0 ? double(done) / elapsed : 0;
  const double left = rate > 0 && done > 0 ? double(total_ - std::min(done, total_)) / rate : -1;
  const std::string text = progress_line({.label = label_,
                                          .share = share,
                                          .amounts = amount(done, unit_) + " of " + amount(total_, unit_),
                                          .rate = rate_of(rate, unit_),
                                          .left = left < 0 ? "" : time_left(left),
                                          .more = more_},
                                         output_width(STDERR_FILENO).value_or(kUsualWidth));
  fmt::print(stderr, "\r\033[K{}", text);
  std::fflush(stderr);
}

}  // namespace spillway
