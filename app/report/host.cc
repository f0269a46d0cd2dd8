#include "app/report/host.h"

#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <fstream>

#include "host/linux/proc_text.h"
#include "host/posix_file.h"

namespace spillway {
namespace {

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "unknown";
}

double timeval_seconds(const timeval& time) {
  return double(time.tv_sec) + double(time.tv_usec) / 1e6;
}

}  // namespace

HostFacts describe_host() {
  HostFacts host;
  utsname names{};
  if (uname(&names) == 0) {
    host.kernel = fmt::format("{} {}", names.sysname, names.release);
  }
  host.cpu = cpu_model();
  host.cores = uint32_t(std::max(sysconf(_SC_NPROCESSORS_ONLN), 1L));
  host.memory_bytes = uint64_t(sysconf(_SC_PHYS_PAGES)) * uint64_t(sysconf(_SC_PAGESIZE));
  return host;
}

std::string utc_date() {
  const std::time_t now = std::time(nullptr);
  std::tm fields{};
  gmtime_r(&now, &fields);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &fields);
  return text;
}

std::optional<double> stolen_cpu_seconds() {
  const std::optional<uint64_t> ticks = stolen_ticks(read_text("/proc/stat").value_or(""));
  return ticks ? std::optional(double(*ticks) / double(sysconf(_SC_CLK_TCK))) : std::nullopt;
}

double process_cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return timeval_seconds(usage.ru_utime) + timeval_seconds(usage.ru_stime);
}

}  // namespace spillway
