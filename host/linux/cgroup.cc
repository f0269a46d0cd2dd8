#include "host/linux/cgroup.h"

#include <algorithm>
#include <sstream>
#include <utility>
#include <vector>

#include "host/linux/proc_text.h"
#include "host/posix_file.h"

namespace spillway {
namespace {

bool has_word(std::string_view list, std::string_view word) {
  size_t at = 0;
  while (at <= list.size()) {
    const size_t comma = std::min(list.find(',', at), list.size());
    if (list.substr(at, comma - at) == word) {
      return true;
    }
    at = comma + 1;
  }
  return false;
}

// Returns the version of the hierarchy that has `controller`, and the process's path within that hierarchy.
std::optional<std::pair<int, std::string>> path_within(std::string_view controller,
                                                       std::string_view proc_cgroup) {
  std::optional<std::pair<int, std::string>> unified;
  std::istringstream lines{std::string(proc_cgroup)};
  std::string line;
  while (std::getline(lines, line)) {
    // hierarchy-number:controller,…:path
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) {
      continue;
    }
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (has_word(controllers, controller)) {
      return std::pair(1, path);
    }
    if (controllers.empty()) {
      unified = std::pair(2, path);
    }
  }
  return unified;
}

// Returns a number from a memory.stat file, which has lines of `key value`.
uint64_t stat_number(const std::string& path, const std::string& key) {
  std::istringstream words(read_text(path).value_or(""));
  std::string word;
  uint64_t value = 0;
  while (words >> word >> value) {
    if (word == key) {
      return value;
    }
  }
  return 0;
}

struct MemoryLimit {
  uint64_t bytes = 0;
  uint64_t used = 0;
};

// Returns the limits of the process's cgroup and of all its ancestors, each of which may have its own.
std::vector<MemoryLimit> memory_limits() {
  std::vector<MemoryLimit> limits;
  const std::optional<OwnCgroup> own = own_cgroup("memory");
  if (!own) {
    return limits;
  }
  const bool first = own->version == 1;
  for (std::string at = own->directory; at.size() >= own->mount.size(); at = parent_of(at)) {
    if (const auto limit = number_in(at + (first ? "/memory.limit_in_bytes" : "/memory.max"))) {
      limits.push_back({*limit, stat_number(at + "/memory.stat", first ? "total_rss" : "anon")});
    }
  }
  return limits;
}

}  // namespace

std::string parent_of(const std::string& directory) {
  return directory.substr(0, directory.rfind('/'));
}

std::optional<OwnCgroup> find_cgroup(std::string_view controller, std::string_view proc_cgroup,
                                     std::string_view proc_mountinfo) {
  const auto found = path_within(controller, proc_cgroup);
  if (!found) {
    return std::nullopt;
  }
  const auto& [version, path] = *found;
  for (const MountPoint& mount : parse_mountinfo(proc_mountinfo)) {
    const bool right = version == 1 ? mount.type == "cgroup" && has_word(mount.super_options, controller)
                                    : mount.type == "cgroup2";
    if (!right) {
      continue;
    }
    // A container may see only a subtree of the hierarchy.
    std::string below = path == "/" ? "" : path;
    if (mount.root != "/") {
      if (!(path + "/").starts_with(mount.root + "/")) {
        continue;
      }
      below = path.substr(mount.root.size());
    }
    if ((below + "/").find("/../") != std::string::npos) {
      continue;  // outside of our cgroup namespace
    }
    return OwnCgroup{version, mount.where + below, mount.where};
  }
  return std::nullopt;
}

std::optional<OwnCgroup> own_cgroup(std::string_view controller) {
  return find_cgroup(controller, read_text("/proc/self/cgroup").value_or(""),
                     read_text("/proc/self/mountinfo").value_or(""));
}

std::optional<uint64_t> memory_within_reach() {
  std::optional<uint64_t> least = kilobytes_of(read_text("/proc/meminfo").value_or(""), "MemAvailable");
  for (const MemoryLimit& limit : memory_limits()) {
    const uint64_t left = limit.bytes - std::min(limit.used, limit.bytes);
    least = std::min(least.value_or(left), left);
  }
  return least;
}

std::optional<uint64_t> memory_at_most() {
  std::optional<uint64_t> least = kilobytes_of(read_text("/proc/meminfo").value_or(""), "MemTotal");
  for (const MemoryLimit& limit : memory_limits()) {
    least = std::min(least.value_or(limit.bytes), limit.bytes);
  }
  return least;
}

}  // namespace spillway
