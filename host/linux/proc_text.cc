#include "host/linux/proc_text.h"

#include <algorithm>
#include <charconv>
#include <sstream>

#include "core/units.h"
#include "host/posix_file.h"

namespace spillway {
namespace {

bool is_octal(char c) {
  return c >= '0' && c <= '7';
}

// Undoes the kernel's escapes: it writes blanks and backslashes in paths as \040 and the like.
std::string unescaped(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1]) && is_octal(text[i + 2]) &&
        is_octal(text[i + 3])) {
      plain += char((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

}  // namespace

std::optional<uint64_t> number_in(const std::string& path) {
  const std::string text = read_text(path).value_or("");
  uint64_t value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc{}) {
    return std::nullopt;
  }
  return value;
}

std::optional<uint64_t> stolen_ticks(std::string_view stat) {
  std::istringstream first(std::string(stat.substr(0, stat.find('\n'))));
  std::string name;
  uint64_t ticks[8] = {};  // user, nice, system, idle, iowait, irq, softirq, steal
  first >> name;
  for (uint64_t& field : ticks) {
    first >> field;
  }
  return first && name == "cpu" ? std::optional(ticks[7]) : std::nullopt;
}

std::optional<uint64_t> number_of(std::string_view text, std::string_view key) {
  size_t line = 0;
  while (line < text.size()) {
    std::string_view rest = text.substr(line);
    if (rest.starts_with(key) && rest.size() > key.size() && rest[key.size()] == ':') {
      rest.remove_prefix(key.size() + 1);
      rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
      uint64_t value = 0;
      if (std::from_chars(rest.data(), rest.data() + rest.size(), value).ec == std::errc{}) {
        return value;
      }
      return std::nullopt;
    }
    const size_t newline = text.find('\n', line);
    line = newline == std::string_view::npos ? text.size() : newline + 1;
  }
  return std::nullopt;
}

std::optional<uint64_t> kilobytes_of(std::string_view text, std::string_view key) {
  const std::optional<uint64_t> kilobytes = number_of(text, key);
  return kilobytes ? std::optional(*kilobytes * kKiB) : std::nullopt;
}

uint64_t smaps_bytes(uint64_t begin, uint64_t end, std::string_view key) {
  std::istringstream lines(read_text("/proc/self/smaps").value_or(""));
  std::string line;
  bool inside = false;
  uint64_t sum = 0;
  while (std::getline(lines, line)) {
    const char* line_end = line.data() + line.size();
    uint64_t from = 0;
    uint64_t to = 0;
    const auto [dash, problem] = std::from_chars(line.data(), line_end, from, 16);
    if (problem == std::errc{} && dash < line_end && *dash == '-') {
      std::from_chars(dash + 1, line_end, to, 16);
      inside = from < end && begin < to;
    } else if (inside) {
      sum += kilobytes_of(line, key).value_or(0);
    }
  }
  return sum;
}

std::vector<MountPoint> parse_mountinfo(std::string_view text) {
  std::vector<MountPoint> mounts;
  std::istringstream lines{std::string(text)};
  std::string line;
  while (std::getline(lines, line)) {
    // 36 35 98:0 /root /where options optional… - type source super-options
    const size_t dash = line.find(" - ");
    if (dash == std::string::npos) {
      continue;
    }
    std::istringstream head(line.substr(0, dash));
    std::istringstream tail(line.substr(dash + 3));
    std::string id, parent, device, root, where;
    MountPoint mount;
    if (head >> id >> parent >> device >> root >> where && tail >> mount.type >> mount.source) {
      tail >> mount.super_options;
      mount.root = unescaped(root);
      mount.where = unescaped(where);
      mounts.push_back(std::move(mount));
    }
  }
  return mounts;
}

}  // namespace spillway
