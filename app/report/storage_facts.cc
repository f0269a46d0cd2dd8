#include <algorithm>

#include "app/report/host.h"
#include "core/text.h"
#include "host/linux/device_bytes.h"

namespace spillway {

StoreFacts describe_files(std::span<const std::string> files) {
  StoreFacts store;
  store.files.assign(files.begin(), files.end());
  std::vector<std::string> file_systems;
  std::vector<std::string> devices;
  for (const std::string& file : files) {
    const Result<DeviceInfo> device = device_below(file);
    if (!device) {
      continue;
    }
    add_once(file_systems, device->file_system);
    add_once(devices, describe(*device));
    if (device->read_ahead_kb) {
      store.read_ahead_bytes = std::max(store.read_ahead_bytes.value_or(0), *device->read_ahead_kb * kKiB);
    }
  }
  store.file_system = join(file_systems, ", ");
  store.device = join(devices, "; ");
  return store;
}

}  // namespace spillway
