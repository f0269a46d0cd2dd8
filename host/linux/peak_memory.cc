#include "host/linux/peak_memory.h"

#include "host/linux/proc_text.h"
#include "host/posix_file.h"

namespace spillway {

std::optional<uint64_t> peak_memory_bytes(std::string_view status) {
  const std::optional<uint64_t> resident = kilobytes_of(status, "VmHWM");
  if (!resident) {
    return std::nullopt;
  }
  return *resident + kilobytes_of(status, "HugetlbPages").value_or(0);
}

std::optional<uint64_t> peak_memory_bytes() {
  return peak_memory_bytes(read_text("/proc/self/status").value_or(""));
}

}  // namespace spillway
