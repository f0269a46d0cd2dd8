#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"

// Where bytes really came from, by the kernel's own counts.
namespace spillway {

// Returns the bytes that this process, with all of its threads, has caused to be read from storage so far.
// Reads served from the page cache are not counted, its read-ahead is. Nothing if the kernel does not count.
std::optional<uint64_t> process_device_bytes();

// The file system and drive below a file. Fields that the kernel does not report are empty.
struct DeviceInfo {
  std::string file_system;  // `ext4`
  std::string name;         // of the whole drive: `nvme0n1`; empty if there is no block device
  std::string number;       // of the whole drive: `259:0`; empty if `name` is
  std::string model;        // `Samsung SSD 990 PRO 2TB`
  std::optional<bool> rotational;
  // In kB; 128 is usual. With more, scattered reads through the page cache fetch too much.
  std::optional<uint64_t> read_ahead_kb;
  std::optional<uint64_t> logical_block_bytes;
  std::string scheduler;
  std::string counters;  // path of the stat file of the partition or drive, for device_read_bytes()
};

// Returns the facts about the device below `path`. Fails only if the file itself cannot be looked up.
Result<DeviceInfo> device_below(const std::string& path);

// Returns the devices below `files`: each drive once, and one entry for all files without a block device.
Result<std::vector<DeviceInfo>> drives_below(std::span<const std::string> files);

// Returns true if a count of zero proves that nothing was read from storage: each of the files has a block
// device, whose reads the kernel counts, or lies in memory (tmpfs, ramfs).
bool zero_is_evidence(std::span<const std::string> files);

// Returns the bytes that all processes together have read from the device since boot; nothing if the
// device has no counters.
std::optional<uint64_t> device_read_bytes(const DeviceInfo& device);

// Returns `ext4 on nvme0n1 (Samsung SSD 990 PRO 2TB), read-ahead 128 kB`.
std::string describe(const DeviceInfo& device);

}  // namespace spillway
