#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"

// Where bytes really came from, in the kernel's own counts.
namespace spillway {

// Bytes that this process, with all of its threads, has caused to be read from storage so far. Reads that the
// page cache served are not among them, its read-ahead is. Nothing when the kernel does not count.
std::optional<uint64_t> process_device_bytes();

// What lies below a file. Fields that the kernel does not tell are empty.
struct DeviceInfo {
  std::string file_system;  // `ext4`
  std::string name;         // of the whole drive: `nvme0n1`; empty when no block device is below
  std::string number;       // of the whole drive: `259:0`; empty where the name is
  std::string model;        // `Samsung SSD 990 PRO 2TB`
  std::optional<bool> rotational;
  std::optional<uint64_t>
      read_ahead_kb;  // 128 is usual; more makes scattered page-cache reads fetch in excess
  std::optional<uint64_t> logical_block_bytes;
  std::string scheduler;
  std::string counters;  // the stat file of the partition or drive, for device_read_bytes()
};

// Fails only when the file itself cannot be looked at.
Result<DeviceInfo> device_below(const std::string& path);

// Of so many files: each drive once, and once what has none.
Result<std::vector<DeviceInfo>> drives_below(std::span<const std::string> files);

// Whether a count of zero means that nothing was read from storage: where there is a device below each of the
// files whose reads the kernel counts, or certainly none.
bool zero_is_evidence(std::span<const std::string> files);

// Bytes that everyone together has read from the device since boot; nothing when it has no counters.
std::optional<uint64_t> device_read_bytes(const DeviceInfo& device);

// `ext4 on nvme0n1 (Samsung SSD 990 PRO 2TB), read-ahead 128 kB`
std::string describe(const DeviceInfo& device);

}  // namespace spillway
