#include "app/cli/progress.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "core/units.h"

namespace spillway {
namespace {

constexpr auto kRedrawEvery = std::chrono::milliseconds(100);
constexpr size_t kBarWidth = 28;

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

}  // namespace

Progress::Progress(std::string label, uint64_t total, Unit unit)
    : label_(std::move(label)),
      total_(std::max<uint64_t>(total, 1)),
      unit_(unit),
      terminal_(isatty(STDERR_FILENO) == 1),
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
  const size_t filled = size_t(share * double(kBarWidth));
  const std::string rate_text = rate_of(rate, unit_);
  const std::string eta = rate > 0 && done > 0
                              ? fmt::format("{:.0f} s left", double(total_ - std::min(done, total_)) / rate)
                              : std::string("…");
  fmt::print(stderr, "\r\033[K{} [{:#<{}}{:.<{}}] {} of {}, {}, {}", label_, "", filled, "",
             kBarWidth - filled, amount(done, unit_), amount(total_, unit_), rate_text, eta);
  std::fflush(stderr);
}

}  // namespace spillway
