#pragma once

#include <fmt/core.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

namespace spillway {

// Makes the process silent on stderr but for errors and questions: neither notes nor progress (--quiet).
void be_quiet();
bool is_quiet();

// Tells something on stderr that is neither a result nor an error, as fmt::print does. Nothing with --quiet.
template <class... Args>
void note(fmt::format_string<Args...> format, Args&&... args) {
  if (!is_quiet()) {
    fmt::print(stderr, format, std::forward<Args>(args)...);
  }
}

// Returns true if `descriptor` is a terminal on which a line can be drawn anew (TERM is not `dumb`).
bool can_redraw(int descriptor);

// Returns `12 s left`, `3 min 05 s left` or `2 h 10 min left`.
std::string time_left(double seconds);

struct ProgressParts {
  std::string label;
  double share = 0;  // from 0 to 1
  std::string amounts;
  std::string rate;
  std::string left;
  std::string more;
};

// Returns a line that fits into `width` columns. The bar and then whole pieces are left out where it would
// not.
std::string progress_line(const ProgressParts& parts, size_t width);

// A bar with rate and remaining time on stderr during a long task. Silent if stderr is no terminal that can
// redraw a line, and with --quiet.
class Progress {
 public:
  enum class Unit { bytes, tokens, steps };

  Progress(std::string label, uint64_t total, Unit unit);
  ~Progress();  // wipes the bar
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Shows that `done` of the total is done. May be called at any rate: redraws at most ten times a second.
  void at(uint64_t done);

  // Shows `text` behind the rest: hit ratio, rate of the drive.
  void tell(std::string text) { more_ = std::move(text); }
  bool is_drawn() const { return terminal_; }  // false: tell() is in vain

 private:
  using Instant = std::chrono::steady_clock::time_point;

  std::string label_;
  std::string more_;
  uint64_t total_;
  Unit unit_;
  bool terminal_;
  bool drawn_ = false;
  Instant start_;
  Instant last_;
};

}  // namespace spillway
