#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace spillway {

// A bar with rate and remaining time on stderr during a long task. Silent if stderr is not a terminal.
class Progress {
 public:
  enum class Unit { bytes, tokens, steps };

  Progress(std::string label, uint64_t total, Unit unit);
  ~Progress();  // wipes the bar
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Shows that `done` of the total is done. May be called at any rate: redraws at most ten times a second.
  void at(uint64_t done);

 private:
  using Instant = std::chrono::steady_clock::time_point;

  std::string label_;
  uint64_t total_;
  Unit unit_;
  bool terminal_;
  bool drawn_ = false;
  Instant start_;
  Instant last_;
};

}  // namespace spillway
