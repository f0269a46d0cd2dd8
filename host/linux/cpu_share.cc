#include "host/linux/cpu_share.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <sstream>
#include <thread>
#include <vector>

#include "host/posix_file.h"

namespace spillway {
namespace {

// Returns quota over period; nothing where `quota` is no number above 0, as in "max" and "-1".
std::optional<double> share(const std::string& quota, const std::string& period) {
  const auto number = [](const std::string& text) {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && value > 0 ? std::optional(double(value)) : std::nullopt;
  };
  const std::optional<double> time = number(quota);
  const std::optional<double> of = number(period);
  return time && of ? std::optional(*time / *of) : std::nullopt;
}

// Returns the limit that one cgroup sets for itself and all below it.
std::optional<double> own_quota(const std::string& directory, int version) {
  if (version == 1) {
    return share(read_text(directory + "/cpu.cfs_quota_us").value_or(""),
                 read_text(directory + "/cpu.cfs_period_us").value_or(""));
  }
  std::istringstream words(read_text(directory + "/cpu.max").value_or(""));
  std::string quota;
  std::string period;
  words >> quota >> period;
  return share(quota, period);
}

// Returns how many processors this process may run on.
unsigned bound_processors() {
  // The kernel refuses a mask that is shorter than its own.
  constexpr size_t kMostProcessors = size_t(1) << 20;
  for (size_t processors = CPU_SETSIZE; processors <= kMostProcessors; processors *= 2) {
    std::vector<cpu_set_t> mask(processors / CPU_SETSIZE);
    const size_t bytes = mask.size() * sizeof(cpu_set_t);
    if (::sched_getaffinity(0, bytes, mask.data()) == 0) {
      return unsigned(CPU_COUNT_S(bytes, mask.data()));
    }
  }
  return std::thread::hardware_concurrency();
}

}  // namespace

std::optional<double> cpu_quota(const OwnCgroup& group) {
  std::optional<double> least;
  for (std::string at = group.directory; at.size() >= group.mount.size(); at = parent_of(at)) {
    if (const std::optional<double> here = own_quota(at, group.version)) {
      least = std::min(least.value_or(*here), *here);
    }
  }
  return least;
}

unsigned threads_within(unsigned processors, std::optional<double> quota) {
  const double most = std::min(double(processors), quota.value_or(double(processors)));
  return std::max(1U, unsigned(most));
}

unsigned usable_threads() {
  const std::optional<OwnCgroup> group = own_cgroup("cpu");
  return threads_within(bound_processors(), group ? cpu_quota(*group) : std::nullopt);
}

}  // namespace spillway
