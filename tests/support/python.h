#pragma once

#include <cstdlib>
#include <string>

namespace spillway::test {

// Returns a Python that has matplotlib: the one in the path, or else the system's. Empty without any.
inline std::string python_with_matplotlib() {
  for (const std::string python : {"python3", "/usr/bin/python3"}) {
    if (std::system((python + " -c 'import matplotlib' 2>/dev/null").c_str()) == 0) {
      return python;
    }
  }
  return "";
}

}  // namespace spillway::test
