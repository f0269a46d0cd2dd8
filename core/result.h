#pragma once

#include <fmt/core.h>

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace spillway {

// The kind of failure; its number is the exit status of the process.
enum class ErrorKind {
  failed = 1,        // the outside world failed: a file, a device, the input
  usage = 2,         // the command line or a configuration asks for something that makes no sense
  unavailable = 77,  // this machine or this user cannot do it, although nothing is wrong with the request
};

// `message` is one line. It names the path, flag or offset, and says what to do.
struct Error {
  ErrorKind kind = ErrorKind::failed;
  std::string message;
};

template <class T>
using Result = tl::expected<T, Error>;

using Unexpected = tl::unexpected<Error>;

template <class... Args>
Unexpected failed(fmt::format_string<Args...> format, Args&&... args) {
  return Unexpected(Error{ErrorKind::failed, fmt::format(format, std::forward<Args>(args)...)});
}

template <class... Args>
Unexpected wrong_usage(fmt::format_string<Args...> format, Args&&... args) {
  return Unexpected(Error{ErrorKind::usage, fmt::format(format, std::forward<Args>(args)...)});
}

template <class... Args>
Unexpected unavailable(fmt::format_string<Args...> format, Args&&... args) {
  return Unexpected(Error{ErrorKind::unavailable, fmt::format(format, std::forward<Args>(args)...)});
}

// Passes a callee's error on to the caller: `if (!file) return propagate(file);`
template <class T>
Unexpected propagate(Result<T>& result) {
  return Unexpected(std::move(result.error()));
}

}  // namespace spillway
