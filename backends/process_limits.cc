#include "backends/process_limits.h"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <sstream>

#include "backends/device_bytes.h"
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

// The process's path within the hierarchy of a controller, and the hierarchy's version.
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

std::optional<OwnCgroup> own_cgroup(std::string_view controller) {
  return find_cgroup(controller, read_text("/proc/self/cgroup").value_or(""),
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

std::vector<EndStep> steps_out_of(const LimitedProcess::Cage& cage) {
  std::vector<EndStep> steps;
  // A cgroup that lends a controller takes no process back.
  for (const std::string& controller : cage.lent) {
    steps.push_back({EndStep::Kind::write, cage.lender + "/cgroup.subtree_control", "-" + controller});
  }
  steps.push_back({EndStep::Kind::write, cage.home + "/cgroup.procs", "0"});
  if (cage.version == 1) {
    steps.push_back({EndStep::Kind::write, cage.directory + "/memory.force_empty", "0"});
  }
  steps.push_back({EndStep::Kind::rmdir, cage.directory});
  return steps;
}

// A file of a cgroup, and what to write into it.
struct Knob {
  std::string file;
  std::string text;
  bool may_lack = false;
};

// What one controller is to be told, in the words of either version.
struct Limit {
  std::string first_name;  // of the controller, in version 1
  std::string second_name;
  std::vector<Knob> first;
  std::vector<Knob> second;
  std::string by_systemd;  // the option of systemd-run for the same
};

// In version 2 a controller's files are there once the parent lends it to its children, which it only can
// when no process is in it any more, hence after the move.
int set_limit(LimitedProcess::Cage& cage, const Limit& limit) {
  if (cage.version == 2 && ::access((cage.directory + "/" + limit.second.back().file).c_str(), F_OK) != 0) {
    cage.lender = parent_of(cage.directory);
    if (const int error = write_text(cage.lender + "/cgroup.subtree_control", "+" + limit.second_name);
        error != 0) {
      return error;
    }
    cage.lent.push_back(limit.second_name);
  }
  for (const Knob& knob : cage.version == 1 ? limit.first : limit.second) {
    const int error = write_text(cage.directory + "/" + knob.file, knob.text);
    if (error != 0 && !knob.may_lack) {
      return error;
    }
  }
  return 0;
}

// Moves the process into a cgroup of its own below `parent` that has all of `limits`; why not, when it
// cannot.
std::string enter_cage(const OwnCgroup& own, const std::string& parent, const std::vector<Limit>& limits,
                       LimitedProcess& process) {
  remove_leftovers(parent);
  const std::string directory = fmt::format("{}/{}{}", parent, kPrefix, ::getpid());
  if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) {
    return fmt::format("cannot make {}: {}", directory, error_text(errno));
  }
  if (const int error = write_text(directory + "/cgroup.procs", "0"); error != 0) {
    ::rmdir(directory.c_str());
    return fmt::format("cannot move into {}: {}", directory, error_text(error));
  }
  LimitedProcess::Cage cage = {.version = own.version, .home = own.directory, .directory = directory};
  for (const Limit& limit : limits) {
    if (const int error = set_limit(cage, limit); error != 0) {
      take_steps(steps_out_of(cage));
      return fmt::format("cannot limit {}: {}", directory, error_text(error));
    }
  }
  process.add(std::move(cage));
  return {};
}

// `limits` are of controllers of one hierarchy, in which the process is at `own`.
std::string enter_cage(const OwnCgroup& own, const std::vector<Limit>& limits, LimitedProcess& process) {
  std::string refusal = enter_cage(own, own.directory, limits, process);
  // In version 2 a cgroup with other processes in it cannot lend a controller; a sibling may do.
  if (!refusal.empty() && own.version == 2 && own.directory != own.mount) {
    refusal = enter_cage(own, parent_of(own.directory), limits, process);
  }
  return refusal;
}

Result<Limit> memory_limit(const ProcessLimits& limits) {
  if (limits.memory_bytes < limits.uncharged_bytes || limits.memory_bytes - limits.uncharged_bytes < kLeast) {
    return wrong_usage("a memory limit of {} leaves less than {} beside {} of hugetlb pages; raise --memory",
                       format_bytes(limits.memory_bytes), format_bytes(kLeast),
                       format_bytes(limits.uncharged_bytes));
  }
  const std::string charged = std::to_string(limits.memory_bytes - limits.uncharged_bytes);
  return Limit{.first_name = "memory",
               .second_name = "memory",
               // The second is there only where swap is counted.
               .first = {{"memory.limit_in_bytes", charged}, {"memory.memsw.limit_in_bytes", charged, true}},
               .second = {{"memory.swap.max", "0", true}, {"memory.max", charged}},
               .by_systemd = "-p MemoryMax=" + charged + " -p MemorySwapMax=0"};
}

Result<Limit> rate_limit(const ProcessLimits& limits) {
  Limit limit{.first_name = "blkio", .second_name = "io", .first = {}, .second = {}, .by_systemd = {}};
  std::vector<std::string> drives;
  for (const std::string& file : limits.files) {
    Result<DeviceInfo> below = device_below(file);
    if (!below) {
      return propagate(below);
    }
    if (below->number.empty()) {
      return unavailable("{}: no drive is below it whose reads could be limited ({})", file,
                         describe(*below));
    }
    if (std::find(drives.begin(), drives.end(), below->number) == drives.end()) {
      drives.push_back(below->number);
      limit.first.push_back(
          {"blkio.throttle.read_bps_device", fmt::format("{} {}", below->number, limits.read_bytes_per_s)});
      limit.second.push_back({"io.max", fmt::format("{} rbps={}", below->number, limits.read_bytes_per_s)});
      limit.by_systemd += fmt::format("{}-p 'IOReadBandwidthMax=/dev/{} {}'", drives.size() > 1 ? " " : "",
                                      below->name, limits.read_bytes_per_s);
    }
  }
  return limit;
}

Result<std::vector<Limit>> all_limits(const ProcessLimits& limits) {
  std::vector<Limit> all;
  if (limits.memory_bytes > 0) {
    Result<Limit> memory = memory_limit(limits);
    if (!memory) {
      return propagate(memory);
    }
    all.push_back(std::move(*memory));
  }
  if (limits.read_bytes_per_s > 0) {
    Result<Limit> rate = rate_limit(limits);
    if (!rate) {
      return propagate(rate);
    }
    all.push_back(std::move(*rate));
  }
  return all;
}

Unexpected refused(const std::string& why, const std::vector<Limit>& limits) {
  std::string options;
  for (const Limit& limit : limits) {
    options += limit.by_systemd + " ";
  }
  return unavailable("may not limit this process ({}); start it by: systemd-run --scope {}spillway …", why,
                     options);
}

}  // namespace

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

LimitedProcess::~LimitedProcess() {
  while (!held_.empty()) {
    take_steps(steps_out_of(held_.back().cage));
    held_.pop_back();
  }
}

void LimitedProcess::add(Cage cage) {
  OnSuddenEnd on_sudden_end(steps_out_of(cage));
  held_.push_back({std::move(cage), std::move(on_sudden_end)});
}

std::vector<std::string> LimitedProcess::directories() const {
  std::vector<std::string> all;
  for (const Held& held : held_) {
    all.push_back(held.cage.directory);
  }
  return all;
}

Result<std::unique_ptr<LimitedProcess>> limit_process(const ProcessLimits& limits) {
  Result<std::vector<Limit>> all = all_limits(limits);
  if (!all) {
    return propagate(all);
  }
  // A process is in one cgroup of each hierarchy.
  std::vector<std::pair<OwnCgroup, std::vector<Limit>>> hierarchies;
  for (Limit& limit : *all) {
    const std::optional<OwnCgroup> own = own_cgroup(limit.first_name);
    if (!own) {
      return refused("there is no cgroup for " + limit.second_name, {limit});
    }
    auto known = std::find_if(hierarchies.begin(), hierarchies.end(),
                              [&own](const auto& other) { return other.first.mount == own->mount; });
    if (known == hierarchies.end()) {
      known = hierarchies.insert(known, {*own, {}});
    }
    known->second.push_back(std::move(limit));
  }
  auto process = std::make_unique<LimitedProcess>();
  for (const auto& [own, limits_there] : hierarchies) {
    if (const std::string refusal = enter_cage(own, limits_there, *process); !refusal.empty()) {
      return refused(refusal, limits_there);
    }
  }
  return process;
}

std::optional<uint64_t> memory_within_reach() {
  std::optional<uint64_t> least = kilobytes_of(read_text("/proc/meminfo").value_or(""), "MemAvailable");
  const std::optional<OwnCgroup> own = own_cgroup("memory");
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
