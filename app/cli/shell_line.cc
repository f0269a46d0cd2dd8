#include "app/cli/shell_line.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/text.h"

namespace spillway {
namespace {

bool is_control(char c) {
  return uint8_t(c) < 0x20 || c == 0x7F;
}

std::string shell_word(const std::string& word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+,.:/@%";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) {
    return word;
  }
  const bool controls = std::any_of(word.begin(), word.end(), is_control);
  std::string quoted = controls ? "$'" : "'";
  for (const char c : word) {
    if (controls && (is_control(c) || c == '\'' || c == '\\')) {
      append(quoted, "\\{:03o}", uint8_t(c));
    } else if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

}  // namespace

std::string shell_line(std::span<const std::string> words) {
  std::vector<std::string> quoted;
  for (const std::string& word : words) {
    quoted.push_back(shell_word(word));
  }
  return join(quoted, " ");
}

}  // namespace spillway
