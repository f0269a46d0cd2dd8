#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What /proc says, taken apart.
namespace spillway {

// The value of a `Key:   123 kB` line in the manner of /proc/meminfo, in bytes.
std::optional<uint64_t> kilobytes_of(std::string_view text, std::string_view key);

// The value of a `key: 123` line in the manner of /proc/self/io.
std::optional<uint64_t> number_of(std::string_view text, std::string_view key);

// The number that the file at `path` begins with; none for "max", for other text, and where there is no such
// file.
std::optional<uint64_t> number_in(const std::string& path);

// Steal time in the first line of /proc/stat: over all processors, since boot, in ticks of
// 1/sysconf(_SC_CLK_TCK) s. None where that line is another or has no such column.
std::optional<uint64_t> stolen_ticks(std::string_view stat);

// The sum of `key` over this process's mappings that overlap [begin, end). The kernel splits and merges
// mappings as it likes, so the sum may count what lies around.
uint64_t smaps_bytes(uint64_t begin, uint64_t end, std::string_view key);

struct MountPoint {
  std::string root;   // which directory of the file system is mounted
  std::string where;  // at which path
  std::string type;
  std::string source;
  std::string super_options;
};

// The lines of /proc/self/mountinfo that can be understood, in order: a later one hides an earlier one.
std::vector<MountPoint> parse_mountinfo(std::string_view text);

}  // namespace spillway
