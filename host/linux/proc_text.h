#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Parses texts of /proc.
namespace spillway {

// Returns the value, in bytes, of a `Key:   123 kB` line in the format of /proc/meminfo.
std::optional<uint64_t> kilobytes_of(std::string_view text, std::string_view key);

// Returns the value of a `key: 123` line in the format of /proc/self/io.
std::optional<uint64_t> number_of(std::string_view text, std::string_view key);

// Returns the number that the file at `path` begins with; nothing for "max", for other text, or if
// there is no such file.
std::optional<uint64_t> number_in(const std::string& path);

// Returns the steal time from the first line of /proc/stat: over all processors, since boot, in ticks of
// 1/sysconf(_SC_CLK_TCK) s. Nothing if that line is a different one or has no such column.
std::optional<uint64_t> stolen_ticks(std::string_view stat);

// Returns the sum of `key`, in bytes, over this process's mappings that overlap [begin, end). The kernel
// splits and merges mappings as it likes, so the sum may include memory around the range.
uint64_t smaps_bytes(uint64_t begin, uint64_t end, std::string_view key);

struct MountPoint {
  std::string root;   // the directory of the file system that is mounted
  std::string where;  // the path that it is mounted at
  std::string type;
  std::string source;
  std::string super_options;
};

// Returns the lines of /proc/self/mountinfo that can be parsed, in order: a later mount hides an earlier one.
std::vector<MountPoint> parse_mountinfo(std::string_view text);

}  // namespace spillway
