#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace spillway::test {

// Expects that each member of a family is a file in `folder` (layer-lru is layer_lru.cc), and each file
// there, except `others`, a member. An unlisted file is as wrong as a name that is listed twice.
inline void expect_a_file_for_each(const std::vector<std::string>& listed, const std::string& folder,
                                   const std::set<std::string>& others = {}) {
  std::multiset<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(SPILLWAY_SOURCE_DIR "/" + folder)) {
    std::string stem = entry.path().stem();
    if (entry.path().extension() == ".cc" && !others.contains(stem)) {
      std::replace(stem.begin(), stem.end(), '_', '-');
      files.insert(stem);
    }
  }
  EXPECT_EQ(std::multiset(listed.begin(), listed.end()), files);
}

}  // namespace spillway::test
