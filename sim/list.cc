#include "sim/list.h"

namespace spillway {

// Each name here is that of a file in devices/.
namespace device {
DevicePlugin linear(), queueing(), bucket(), table();
}

const DeviceFamily& device_models() {
  using namespace device;
  static const DeviceFamily family("device model", {linear(), queueing(), bucket(), table()});
  return family;
}

}  // namespace spillway
