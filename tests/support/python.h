#pragma once

#include <cstdlib>
#include <string>

namespace spillway::test {

// A Python that can draw: the one in the path, or the system's behind it. Empty: there is none.
inline std::string python_with_matplotlib() {
  for (const std::string python : {"python3", "/usr/bin/python3"}) {
    if (std::system((python + " -c 'import matplotlib' 2>/dev/null").c_str()) == 0) {
      return python;
    }
  }
  return "";
}

}  // namespace spillway::test
