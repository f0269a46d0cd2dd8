#include "host/linux/device_bytes.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <sstream>

#include "host/linux/proc_text.h"
#include "host/posix_file.h"

namespace spillway {
namespace {

// Unit of the counters in /sys/block/*/stat, whatever the drive's block size is.
constexpr uint64_t kSector = 512;

std::string without_blanks_around(std::string text) {
  const size_t begin = text.find_first_not_of(" \t\n");
  if (begin == std::string::npos) {
    return "";
  }
  return text.substr(begin, text.find_last_not_of(" \t\n") + 1 - begin);
}

std::string line_of(const std::string& path) {
  return without_blanks_around(read_text(path).value_or(""));
}

// Returns the mount that `path`, absolute and without links, lies on: the longest match, and the
// last of equal ones.
std::optional<MountPoint> mount_of(const std::string& path) {
  std::optional<MountPoint> best;
  for (MountPoint& mount : parse_mountinfo(read_text("/proc/self/mountinfo").value_or(""))) {
    const std::string prefix = mount.where == "/" ? "/" : mount.where + "/";
    if ((path + "/").starts_with(prefix) && (!best || mount.where.size() >= best->where.size())) {
      best = std::move(mount);
    }
  }
  return best;
}

// Returns the device number below a file: the file's own, or that of the mounted device for file systems that
// invent a number (such as btrfs).
std::optional<dev_t> block_device(const struct stat& status, const std::optional<MountPoint>& mount) {
  if (::major(status.st_dev) != 0) {
    return status.st_dev;
  }
  struct stat source = {};
  if (mount && mount->source.starts_with("/") && ::stat(mount->source.c_str(), &source) == 0 &&
      S_ISBLK(source.st_mode)) {
    return source.st_rdev;
  }
  return std::nullopt;
}

// Returns the scheduler in use, which is in brackets: `none [mq-deadline] bfq`.
std::string scheduler_in(const std::string& path) {
  const std::string text = line_of(path);
  const size_t begin = text.find('[');
  const size_t end = text.find(']');
  return begin == std::string::npos || end < begin ? text : text.substr(begin + 1, end - begin - 1);
}

}  // namespace

std::optional<uint64_t> process_device_bytes() {
  return number_of(read_text("/proc/self/io").value_or(""), "read_bytes");
}

Result<DeviceInfo> device_below(const std::string& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) {
    return failed("cannot look up the device of {}: {}", path, error_text(errno));
  }
  std::error_code ignored;
  const std::optional<MountPoint> mount = mount_of(std::filesystem::canonical(path, ignored));
  DeviceInfo info;
  info.file_system = mount ? mount->type : "";
  const std::optional<dev_t> device = block_device(status, mount);
  if (!device) {
    return info;
  }
  const std::string link = fmt::format("/sys/dev/block/{}:{}", ::major(*device), ::minor(*device));
  const std::string own = std::filesystem::canonical(link, ignored);
  if (own.empty()) {
    return info;
  }
  // A partition has counters of its own. All other facts are those of the drive.
  const bool partition = std::filesystem::exists(own + "/partition", ignored);
  const std::filesystem::path device_path = own;
  const std::filesystem::path drive = partition ? device_path.parent_path() : device_path;
  const std::string queue = drive.string() + "/queue/";
  info.counters = own + "/stat";
  info.name = drive.filename();
  info.number = line_of(drive.string() + "/dev");
  info.model = line_of(drive.string() + "/device/model");
  info.read_ahead_kb = number_in(queue + "read_ahead_kb");
  info.logical_block_bytes = number_in(queue + "logical_block_size");
  info.scheduler = scheduler_in(queue + "scheduler");
  if (const std::optional<uint64_t> rotational = number_in(queue + "rotational"); rotational) {
    info.rotational = *rotational != 0;
  }
  return info;
}

Result<std::vector<DeviceInfo>> drives_below(std::span<const std::string> files) {
  std::vector<DeviceInfo> drives;
  for (const std::string& file : files) {
    Result<DeviceInfo> below = device_below(file);
    if (!below) {
      return propagate(below);
    }
    const bool known = std::any_of(drives.begin(), drives.end(), [&below](const DeviceInfo& drive) {
      return drive.number == below->number;
    });
    if (!known) {
      drives.push_back(std::move(*below));
    }
  }
  return drives;
}

bool zero_is_evidence(std::span<const std::string> files) {
  return std::all_of(files.begin(), files.end(), [](const std::string& file) {
    const Result<DeviceInfo> device = device_below(file);
    return device &&
           (!device->name.empty() || device->file_system == "tmpfs" || device->file_system == "ramfs");
  });
}

std::optional<uint64_t> device_read_bytes(const DeviceInfo& device) {
  std::istringstream fields(device.counters.empty() ? "" : read_text(device.counters).value_or(""));
  uint64_t reads = 0;
  uint64_t merged = 0;
  uint64_t sectors = 0;
  if (!(fields >> reads >> merged >> sectors)) {
    return std::nullopt;
  }
  return sectors * kSector;
}

std::string describe(const DeviceInfo& device) {
  std::string text = device.file_system.empty() ? "unknown file system" : device.file_system;
  if (device.name.empty()) {
    return text + " without a block device";
  }
  text += " on " + device.name;
  if (!device.model.empty()) {
    text += fmt::format(" ({})", device.model);
  }
  if (device.read_ahead_kb) {
    text += fmt::format(", read-ahead {} kB", *device.read_ahead_kb);
  }
  return text;
}

}  // namespace spillway
