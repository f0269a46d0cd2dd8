#pragma once

#include <cstdio>
#include <cstdlib>

namespace spillway {

// Contract checks stay on in release builds. A broken precondition is a bug in Spillway, never a fault of the
// input, and a benchmark that went on after one would print a wrong number. The checks use compiler builtins
// because the tools of clang 14 do not know std::source_location.
inline void contract_check(bool holds, const char* kind, const char* file, int line) {
  if (holds) [[likely]] {
    return;
  }
  std::fprintf(stderr, "spillway: %s broken at %s:%d\n", kind, file, line);
  std::abort();
}

inline void Expects(bool holds, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  contract_check(holds, "precondition", file, line);
}

inline void Ensures(bool holds, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  contract_check(holds, "postcondition", file, line);
}

}  // namespace spillway
