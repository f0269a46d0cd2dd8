#pragma once

#include <cstdio>
#include <cstdlib>

namespace spillway {

// Contract checks that stay on in release builds: a broken precondition is a bug of ours, never of the input,
// and a benchmark that goes on after one would print a wrong number. They use compiler builtins because
// clang 14's tools do not know std::source_location.
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
