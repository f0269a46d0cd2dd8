#include "backends/memory_limit.h"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <sstream>

#include "backends/posix_file.h"
#include "backends/proc_text.h"
#include "core/units.h"

namespace spillway {
namespace {

constexpr std::string_view kPrefix = "spillway-";

// With less than this the program itself does not run.
constexpr uint64_t kLeast = 32 * kMiB;

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

// The process's path within the hierarchy of the memory controller, and the hierarchy's version.
std::optional<std::pair<int, std::string>> memory_path(std::string_view proc_cgroup) {
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
    if (has_word(controllers, "memory")) {
      return std::pair(1, path);
    }
    if (controllers.empty()) {
      unified = std::pair(2, path);
    }
  }
  return unified;
}

// Of a memory.stat: lines of `key value`.
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

std::optional<MemoryCgroup> own_memory_cgroup() {
  return find_memory_cgroup(read_text("/proc/self/cgroup").value_or(""),
                            read_text("/proc/self/mountinfo").value_or(""));
}

std::string parent_of(const std::string& directory) {
  return directory.substr(0, directory.rfind('/'));
}

// Cgroups of earlier runs that were killed before they could clean up.
void remove_leftovers(const std::string& directory) {
  DIR* listing = ::opendir(directory.c_str());
  if (listing == nullptr) {
    return;
  }
  while (const dirent* entry = ::readdir(listing)) {
    const std::string name = entry->d_name;
    if (!name.starts_with(kPrefix)) {
      continue;
    }
    const char* digits = name.data() + kPrefix.size();
    pid_t process = 0;
    if (std::from_chars(digits, name.data() + name.size(), process).ec == std::errc{} && process > 0 &&
        ::kill(process, 0) != 0 && errno == ESRCH) {
      ::rmdir((directory + "/" + name).c_str());
    }
  }
  ::closedir(listing);
}

std::vector<EndStep> steps_out_of(const MemoryLimit::Places& places) {
  std::vector<EndStep> steps;
  // A cgroup that lends a controller takes no process back.
  if (!places.lender.empty()) {
    steps.push_back({EndStep::Kind::write, places.lender + "/cgroup.subtree_control", "-memory"});
  }
  steps.push_back({EndStep::Kind::write, places.home + "/cgroup.procs", "0"});
  if (places.version == 1) {
    steps.push_back({EndStep::Kind::write, places.cage + "/memory.force_empty", "0"});
  }
  steps.push_back({EndStep::Kind::rmdir, places.cage});
  return steps;
}

// The limit itself. In version 2 its file is there once the parent lends its children the controller, which
// it only can when no process is in it any more, hence after the move.
int set_limit(MemoryLimit::Places& places, uint64_t bytes) {
  const std::string text = std::to_string(bytes);
  if (places.version == 1) {
    const int error = write_text(places.cage + "/memory.limit_in_bytes", text);
    write_text(places.cage + "/memory.memsw.limit_in_bytes", text);  // there only where swap is counted
    return error;
  }
  if (::access((places.cage + "/memory.max").c_str(), F_OK) != 0) {
    const std::string parent = parent_of(places.cage);
    if (const int error = write_text(parent + "/cgroup.subtree_control", "+memory"); error != 0) {
      return error;
    }
    places.lender = parent;
  }
  write_text(places.cage + "/memory.swap.max", "0");
  return write_text(places.cage + "/memory.max", text);
}

struct Attempt {
  std::unique_ptr<MemoryLimit> limit;
  std::string refusal;
};

Attempt enter_cage(const MemoryCgroup& own, const std::string& parent, uint64_t bytes) {
  remove_leftovers(parent);
  const std::string cage = fmt::format("{}/{}{}", parent, kPrefix, ::getpid());
  if (::mkdir(cage.c_str(), 0755) != 0 && errno != EEXIST) {
    return {nullptr, fmt::format("cannot make {}: {}", cage, error_text(errno))};
  }
  if (const int error = write_text(cage + "/cgroup.procs", "0"); error != 0) {
    ::rmdir(cage.c_str());
    return {nullptr, fmt::format("cannot move into {}: {}", cage, error_text(error))};
  }
  MemoryLimit::Places places = {.version = own.version, .home = own.directory, .cage = cage, .lender = {}};
  if (const int error = set_limit(places, bytes); error != 0) {
    take_steps(steps_out_of(places));
    return {nullptr, fmt::format("cannot limit {}: {}", cage, error_text(error))};
  }
  return {std::make_unique<MemoryLimit>(std::move(places)), {}};
}

}  // namespace

std::optional<MemoryCgroup> find_memory_cgroup(std::string_view proc_cgroup,
                                               std::string_view proc_mountinfo) {
  const auto found = memory_path(proc_cgroup);
  if (!found) {
    return std::nullopt;
  }
  const auto& [version, path] = *found;
  for (const MountPoint& mount : parse_mountinfo(proc_mountinfo)) {
    const bool right = version == 1 ? mount.type == "cgroup" && has_word(mount.super_options, "memory")
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
    return MemoryCgroup{version, mount.where + below, mount.where};
  }
  return std::nullopt;
}

MemoryLimit::MemoryLimit(Places places) : places_(std::move(places)), on_sudden_end_(steps_out_of(places_)) {}

MemoryLimit::~MemoryLimit() {
  take_steps(steps_out_of(places_));
}

Result<std::unique_ptr<MemoryLimit>> limit_process_memory(uint64_t bytes, uint64_t uncharged_bytes) {
  if (bytes < uncharged_bytes || bytes - uncharged_bytes < kLeast) {
    return wrong_usage("a memory limit of {} leaves less than {} beside {} of hugetlb pages; raise --memory",
                       format_bytes(bytes), format_bytes(kLeast), format_bytes(uncharged_bytes));
  }
  const uint64_t charged = bytes - uncharged_bytes;
  std::string refusal = "there is no memory cgroup";
  if (const std::optional<MemoryCgroup> own = own_memory_cgroup(); own) {
    Attempt attempt = enter_cage(*own, own->directory, charged);
    // In version 2 a cgroup with other processes in it cannot lend the controller; a sibling may do.
    if (!attempt.limit && own->version == 2 && own->directory != own->mount) {
      attempt = enter_cage(*own, parent_of(own->directory), charged);
    }
    if (attempt.limit) {
      return std::move(attempt.limit);
    }
    refusal = attempt.refusal;
  }
  return unavailable(
      "may not limit this process's memory ({}); start it by: systemd-run --user --scope -p MemoryMax={} -p "
      "MemorySwapMax=0 spillway …",
      refusal, charged);
}

std::optional<uint64_t> memory_within_reach() {
  std::optional<uint64_t> least = kilobytes_of(read_text("/proc/meminfo").value_or(""), "MemAvailable");
  const std::optional<MemoryCgroup> own = own_memory_cgroup();
  if (!own) {
    return least;
  }
  // Each ancestor may have a limit of its own.
  for (std::string at = own->directory; at.size() >= own->mount.size(); at = parent_of(at)) {
    const bool first = own->version == 1;
    const auto limit = number_in(at + (first ? "/memory.limit_in_bytes" : "/memory.max"));
    if (limit) {
      const uint64_t used = stat_number(at + "/memory.stat", first ? "total_rss" : "anon");
      least = std::min(least.value_or(*limit), *limit - std::min(used, *limit));
    }
  }
  return least;
}

}  // namespace spillway
