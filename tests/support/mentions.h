#pragma once

#include <string_view>

namespace spillway::test {

inline bool mentions(std::string_view message, std::string_view part) {
  return message.find(part) != std::string_view::npos;
}

}  // namespace spillway::test
