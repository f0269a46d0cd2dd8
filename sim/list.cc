#include "sim/list.h"

#include <array>

namespace spillway {

// Each name here is that of a file in devices/.
namespace device {
DevicePlugin linear(), queueing(), bucket(), table();
}

std::span<const DevicePlugin> device_models() {
  using namespace device;
  static const std::array list = {linear(), queueing(), bucket(), table()};
  return list;
}

}  // namespace spillway
