#include "host/linux/process_limits.h"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <iterator>
#include <sstream>

#include "core/expects.h"
#include "core/units.h"
#include "host/linux/cgroup.h"
#include "host/linux/device_bytes.h"
#include "host/posix_file.h"

namespace spillway {
namespace {

constexpr std::string_view kPrefix = "spillway-";

// The program itself does not run with less.
constexpr uint64_t kLeast = 32 * kMiB;

// Returns the cgroups that this program made in `directory`, each with the number of the
// process that made it.
std::vector<std::pair<pid_t, std::string>> cages_in(const std::string& directory) {
  std::vector<std::pair<pid_t, std::string>> cages;
  DIR* listing = ::opendir(directory.c_str());
  if (listing == nullptr) {
    return cages;
  }
  while (const dirent* entry = ::readdir(listing)) {
    const std::string name = entry->d_name;
    pid_t process = 0;
    if (name.starts_with(kPrefix) &&
        std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), process).ec == std::errc{} &&
        process > 0) {
      cages.emplace_back(process, directory + "/" + name);
    }
  }
  ::closedir(listing);
  return cages;
}

// Removes the cgroups of earlier runs that were killed before they could clean up. One of them may have had
// this process's number.
void remove_leftovers(const std::string& directory) {
  for (const auto& [process, cage] : cages_in(directory)) {
    if (process == ::getpid() || (::kill(process, 0) != 0 && errno == ESRCH)) {
      ::rmdir(cage.c_str());
    }
  }
}

// In cgroup v2, a group that delegates a controller to its children cannot hold processes; only the root can,
// which has no `cgroup.type`. So the delegation is undone before the process returns to its own group. A
// delegation in a parent is left alone, since the limits of other runs may depend on it.
bool must_end_lending_first(const LimitedProcess::Cage& cage) {
  return cage.lender == cage.home && ::access((cage.home + "/cgroup.type").c_str(), F_OK) == 0;
}

std::vector<EndStep> steps_out_of(const LimitedProcess::Cage& cage) {
  std::vector<EndStep> steps;
  if (must_end_lending_first(cage)) {
    for (const std::string& controller : cage.lent) {
      steps.push_back({EndStep::Kind::write, cage.lender + "/cgroup.subtree_control", "-" + controller});
    }
  }
  steps.push_back({EndStep::Kind::write, cage.home + "/cgroup.procs", "0"});
  if (::access((cage.directory + "/memory.force_empty").c_str(), F_OK) == 0) {
    steps.push_back({EndStep::Kind::write, cage.directory + "/memory.force_empty", "0"});
  }
  steps.push_back({EndStep::Kind::rmdir, cage.directory});
  return steps;
}

// A file of a cgroup, and the text to write into it. With `may_lack`, a file that cannot be
// written is ignored.
struct Knob {
  std::string file;
  std::string text;
  bool may_lack = false;
};

// The settings of one controller, for either version of cgroups.
struct Limit {
  std::string first_name;  // the controller's name in version 1
  std::string second_name;
  std::vector<Knob> first;
  std::vector<Knob> second;
};

// Writes `text` to `path`. Returns an empty text, or where and why the write failed.
std::string write_or_tell(const std::string& path, const std::string& text) {
  const int error = write_text(path, text);
  return error == 0 ? "" : fmt::format("cannot write {} to {}: {}", text, path, error_text(error));
}

// Sets one limit of the cgroup; returns an empty text or why it failed. In version 2 a controller's files
// exist once the parent delegates the controller to its children. The parent can do so only once it holds no
// process, hence after the move.
std::string set_limit(LimitedProcess::Cage& cage, const Limit& limit) {
  if (cage.version == 2) {
    const std::string lends = cage.lender + "/cgroup.subtree_control";
    std::istringstream lent(read_text(lends).value_or(""));
    if (std::find(std::istream_iterator<std::string>(lent), {}, limit.second_name) ==
        std::istream_iterator<std::string>()) {
      if (std::string refusal = write_or_tell(lends, "+" + limit.second_name); !refusal.empty()) {
        return refusal;
      }
      cage.lent.push_back(limit.second_name);
    }
  }
  for (const Knob& knob : cage.version == 1 ? limit.first : limit.second) {
    if (std::string refusal = write_or_tell(cage.directory + "/" + knob.file, knob.text);
        !refusal.empty() && !knob.may_lack) {
      return refusal;
    }
  }
  return {};
}

// Moves the process into a new cgroup below `parent` that has all of `limits`. Returns an empty text, or why
// the process could not be moved.
std::string enter_cage(const OwnCgroup& own, const std::string& parent, const std::vector<Limit>& limits,
                       LimitedProcess& process) {
  remove_leftovers(parent);
  LimitedProcess::Cage cage = {.version = own.version,
                               .home = own.directory,
                               .lender = parent,
                               .directory = fmt::format("{}/{}{}", parent, kPrefix, ::getpid())};
  if (::mkdir(cage.directory.c_str(), 0755) != 0) {
    return fmt::format("cannot make {}: {}", cage.directory, error_text(errno));
  }
  std::string refusal = write_or_tell(cage.directory + "/cgroup.procs", "0");
  if (!refusal.empty()) {
    ::rmdir(cage.directory.c_str());
    return refusal;
  }
  for (const Limit& limit : limits) {
    if (refusal = set_limit(cage, limit); !refusal.empty()) {
      take_steps(steps_out_of(cage));
      return refusal;
    }
  }
  process.add(std::move(cage));
  return {};
}

// Moves the process, which is at `own`, into a cgroup with `limits`, all of which are of
// controllers in one hierarchy.
std::string enter_cage(const OwnCgroup& own, const std::vector<Limit>& limits, LimitedProcess& process) {
  std::string refusal = enter_cage(own, own.directory, limits, process);
  // In version 2 a cgroup that holds other processes cannot delegate a controller. A sibling group may work.
  if (!refusal.empty() && own.version == 2 && own.directory != own.mount) {
    refusal = enter_cage(own, parent_of(own.directory), limits, process);
  }
  return refusal;
}

Result<Limit> memory_limit(const ProcessLimits& limits) {
  if (limits.memory_bytes < limits.uncharged_bytes || limits.memory_bytes - limits.uncharged_bytes < kLeast) {
    return wrong_usage(
        "a memory limit of {} leaves less than {} in addition to {} of hugetlb pages; raise --memory",
        format_bytes(limits.memory_bytes), format_bytes(kLeast), format_bytes(limits.uncharged_bytes));
  }
  const std::string charged = std::to_string(limits.memory_bytes - limits.uncharged_bytes);
  return Limit{.first_name = "memory",
               .second_name = "memory",
               // The second file exists only where the kernel counts swap.
               .first = {{"memory.limit_in_bytes", charged}, {"memory.memsw.limit_in_bytes", charged, true}},
               .second = {{"memory.swap.max", "0", true}, {"memory.max", charged}}};
}

Result<Limit> rate_limit(const ProcessLimits& limits) {
  Expects(!limits.files.empty());
  Limit limit{.first_name = "blkio", .second_name = "io", .first = {}, .second = {}};
  Result<std::vector<DeviceInfo>> drives = drives_below(limits.files);
  if (!drives) {
    return propagate(drives);
  }
  for (const DeviceInfo& drive : *drives) {
    if (drive.number.empty()) {
      return unavailable("{}: there is no drive below it whose reads could be limited ({})",
                         limits.files.front(), describe(drive));
    }
    limit.first.push_back(
        {"blkio.throttle.read_bps_device", fmt::format("{} {}", drive.number, limits.read_bytes_per_s)});
    limit.second.push_back({"io.max", fmt::format("{} rbps={}", drive.number, limits.read_bytes_per_s)});
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

// Returns the error with the line that gives the process a cgroup of its own. A user's own systemd may
// delegate memory, but not reads.
Unexpected refused(const std::string& why, const std::vector<Limit>& limits) {
  const bool memory_alone = std::all_of(limits.begin(), limits.end(),
                                        [](const Limit& limit) { return limit.second_name == "memory"; });
  const bool has_systemd = ::access("/run/systemd/system", F_OK) == 0;
  return unavailable(
      "this process has no right to a cgroup that limits it; {}: {} --scope -p Delegate=yes spillway … ({})",
      has_systemd ? "start it as" : "where systemd runs, start it as",
      memory_alone ? "systemd-run --user" : "sudo systemd-run", why);
}

// Returns true if no other process is in the cgroup.
bool is_alone(const std::string& directory) {
  std::istringstream processes(read_text(directory + "/cgroup.procs").value_or(""));
  size_t others = 0;
  size_t own = 0;
  for (pid_t process = 0; processes >> process;) {
    (process == ::getpid() ? own : others) += 1;
  }
  return own == 1 && others == 0;
}

}  // namespace

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
  // A process is in exactly one cgroup of each hierarchy, so limits of one hierarchy share a cgroup.
  std::vector<std::pair<OwnCgroup, std::vector<Limit>>> hierarchies;
  for (const Limit& limit : *all) {
    const std::optional<OwnCgroup> own = own_cgroup(limit.first_name);
    if (!own) {
      return refused("there is no cgroup for " + limit.second_name, *all);
    }
    auto known = std::find_if(hierarchies.begin(), hierarchies.end(),
                              [&own](const auto& other) { return other.first.mount == own->mount; });
    if (known == hierarchies.end()) {
      known = hierarchies.insert(known, {*own, {}});
    }
    known->second.push_back(limit);
  }
  auto process = std::make_unique<LimitedProcess>();
  for (const auto& [own, limits_there] : hierarchies) {
    if (const std::string refusal = enter_cage(own, limits_there, *process); !refusal.empty()) {
      return refused(refusal, *all);
    }
  }
  return process;
}

std::unique_ptr<LimitedProcess> step_aside(const OwnCgroup& own) {
  auto aside = std::make_unique<LimitedProcess>();
  if (own.version != 2 || own.directory == own.mount || !is_alone(own.directory)) {
    return aside;
  }
  remove_leftovers(own.directory);
  // The children may lend any controller that a limit needs; what they lent ends before the process returns.
  LimitedProcess::Cage cage = {.version = 2,
                               .home = own.directory,
                               .lender = own.directory,
                               .directory = fmt::format("{}/{}{}", own.directory, kPrefix, ::getpid()),
                               .lent = {"memory", "io"}};
  if (::mkdir(cage.directory.c_str(), 0755) != 0) {
    return aside;
  }
  if (write_text(cage.directory + "/cgroup.procs", "0") != 0) {
    ::rmdir(cage.directory.c_str());
    return aside;
  }
  aside->add(std::move(cage));
  return aside;
}

}  // namespace spillway
