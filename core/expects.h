#pragma once

#include <cstdio>
#include <cstdlib>
#include <source_location>

namespace spillway {

// Contract checks that stay on in release builds: a broken precondition is a bug of ours, never of the input,
// and a benchmark that goes on after one would print a wrong number.
inline void contract_check(bool holds, const char* kind, const std::source_location& where) {
  if (holds) [[likely]] {
    return;
  }
  std::fprintf(stderr, "spillway: %s broken at %s:%u in %s\n", kind, where.file_name(), where.line(),
               where.function_name());
  std::abort();
}

inline void Expects(bool holds, const std::source_location& where = std::source_location::current()) {
  contract_check(holds, "precondition", where);
}

inline void Ensures(bool holds, const std::source_location& where = std::source_location::current()) {
  contract_check(holds, "postcondition", where);
}

}  // namespace spillway
