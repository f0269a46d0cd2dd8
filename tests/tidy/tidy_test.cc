#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

// Rules for the source code that a compiler does not check.
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kFolders = {"core",     "host",    "sim",   "traces", "backends", "stores",
                                           "policies", "runtime", "model", "app",    "tests",    "bench"};

// The rooms of app/, lowest first.
const std::vector<std::string> kFloors = {"cli",  "report", "stores", "presets", "calibrate",
                                          "run",  "repeat", "trace",  "curve",   "gap",
                                          "plan", "pack",   "sweep",  "page",    "commands"};

struct SourceFile {
  std::string path;  // relative to the root
  std::string folder;
  std::vector<std::string> lines;
};

std::vector<SourceFile> sources() {
  std::vector<SourceFile> list;
  const fs::path root = SPILLWAY_SOURCE_DIR;
  for (const std::string& folder : kFolders) {
    if (!fs::exists(root / folder)) {
      continue;
    }
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root / folder)) {
      const std::string extension = entry.path().extension();
      if (extension != ".cc" && extension != ".h") {
        continue;
      }
      SourceFile file{fs::relative(entry.path(), root), folder, {}};
      std::ifstream in(entry.path());
      for (std::string line; std::getline(in, line);) {
        file.lines.push_back(line);
      }
      list.push_back(std::move(file));
    }
  }
  return list;
}

TEST(Tidy, FoldersIncludeOnlyWhatTheyMay) {
  const std::map<std::string, std::set<std::string>> may_include = {
      {"core", {"core"}},
      {"host", {"host", "core"}},
      {"sim", {"sim", "host", "core"}},
      {"traces", {"traces", "host", "core"}},
      {"backends", {"backends", "host", "core"}},
      {"stores", {"stores", "host", "core"}},
      {"policies", {"policies", "host", "core"}},
      {"runtime", {"runtime", "host", "core"}},
      {"model", {"model", "host", "core"}}};
  const std::regex include(R"re(^#include "([a-z]+)/)re");
  for (const SourceFile& file : sources()) {
    const auto allowed = may_include.find(file.folder);
    if (allowed == may_include.end()) {
      continue;
    }
    for (const std::string& line : file.lines) {
      std::smatch match;
      if (std::regex_search(line, match, include)) {
        EXPECT_TRUE(allowed->second.contains(match[1])) << file.path << " includes " << match[1];
      }
    }
  }
}

// The folders that a build without Linux needs, and the half of host/ that is for them.
TEST(Tidy, WhatNeedsNothingOfLinuxDoesNotIncludeItsRoom) {
  const std::set<std::string> portable = {"core", "host", "sim", "traces", "policies", "runtime", "model"};
  for (const SourceFile& file : sources()) {
    if (!portable.contains(file.folder) || file.path.starts_with("host/linux/")) {
      continue;
    }
    for (const std::string& line : file.lines) {
      EXPECT_FALSE(line.starts_with("#include \"host/linux/") || line.starts_with("#include <linux/"))
          << file.path << ": " << line;
    }
  }
}

// The rooms of app/ lie on floors. A room includes only its own files and those of the rooms
// before it in the list.
TEST(Tidy, RoomsOfTheProgramIncludeOnlyThoseBelow) {
  const std::vector<std::string> floors = {"cli",   "report", "presets", "calibrate", "run",
                                           "trace", "curve",  "gap",     "plan",      "pack",
                                           "trace", "sweep",  "page",    "commands"};
  const auto floor_of = [&](const std::string& room) {
    return std::find(kFloors.begin(), kFloors.end(), room) - kFloors.begin();
  };
  const std::regex room_of_file(R"re(^app/([a-z]+)/)re");
  const std::regex include(R"re(^#include "app/([a-z]+)/)re");
  for (const SourceFile& file : sources()) {
    std::smatch room;
    if (!std::regex_search(file.path, room, room_of_file)) {
      continue;
    }
    ASSERT_LT(floor_of(room[1]), ptrdiff_t(kFloors.size()))
        << file.path << " lies in a room that has no floor";
    for (const std::string& line : file.lines) {
      std::smatch included;
      if (std::regex_search(line, included, include)) {
        EXPECT_LE(floor_of(included[1]), floor_of(room[1])) << file.path << " includes " << included[1];
      }
    }
  }
}

TEST(Tidy, EveryFolderWithSourcesIsKnownToTheseTests) {
  for (const fs::directory_entry& folder : fs::directory_iterator(SPILLWAY_SOURCE_DIR)) {
    const std::string name = folder.path().filename();
    if (!folder.is_directory() || name.starts_with(".") || name == "build") {
      continue;
    }
    const bool has_sources =
        std::any_of(fs::recursive_directory_iterator(folder.path()), fs::recursive_directory_iterator(),
                    [](const fs::directory_entry& entry) {
                      return entry.path().extension() == ".cc" || entry.path().extension() == ".h";
                    });
    const bool is_known = std::find(kFolders.begin(), kFolders.end(), name) != kFolders.end();
    EXPECT_TRUE(is_known || !has_sources) << name << "/ has sources, and no rule says what they may include";
  }
}

std::string text_of(const fs::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

TEST(Tidy, TheArchitecturePageNamesEveryFolderAndEveryFloor) {
  const std::string page = text_of(fs::path(SPILLWAY_SOURCE_DIR) / "docs/ARCHITECTURE.md");
  ASSERT_NE(page, "");
  for (const std::string& folder : kFolders) {
    EXPECT_NE(page.find(folder + "/"), std::string::npos)
        << "docs/ARCHITECTURE.md does not name " << folder << "/";
  }
  std::string floors;
  for (const std::string& floor : kFloors) {
    floors += ' ' + floor;
  }
  EXPECT_NE(page.find("lowest first:" + floors), std::string::npos) << "the floors of app/ are:" << floors;
}

TEST(Tidy, TheRecipeForAPolicyShowsTheFileAsItIs) {
  const fs::path root = SPILLWAY_SOURCE_DIR;
  const std::string page = text_of(root / "CONTRIBUTING.md");
  EXPECT_NE(page.find("```cpp\n" + text_of(root / "policies/eviction/lru.cc") + "```"), std::string::npos)
      << "CONTRIBUTING.md shows another policies/eviction/lru.cc than there is";
}

TEST(Tidy, NoFolderIsCrowded) {
  constexpr int kMostFiles = 30;
  std::map<std::string, int> files;
  for (const SourceFile& file : sources()) {
    ++files[fs::path(file.path).parent_path()];
  }
  for (const auto& [folder, count] : files) {
    EXPECT_LE(count, kMostFiles) << folder << ": give some of its files a room of their own";
  }
}

// `library` may be included only by these folders.
TEST(Tidy, EachLibraryIsKnownToItsFolderAlone) {
  const std::map<std::string, std::set<std::string>> known_to = {{"liburing.h", {"backends"}},
                                                                 {"utf8proc.h", {"model"}},
                                                                 {"zstd.h", {"traces", "tests"}},
                                                                 {"zlib.h", {"traces", "tests"}},
                                                                 {"xxhash.h", {"traces", "stores"}},
                                                                 {"CLI/", {"app"}},
                                                                 {"nlohmann/", {"core"}},
                                                                 {"valijson/", {"app"}}};
  for (const SourceFile& file : sources()) {
    for (const std::string& line : file.lines) {
      for (const auto& [library, folders] : known_to) {
        if (line.starts_with("#include <" + library)) {
          EXPECT_TRUE(folders.contains(file.folder)) << file.path << " includes " << library;
        }
      }
    }
  }
}

// CLI11 and JSON take longer to compile than most source files.
TEST(Tidy, NoHeaderIncludesCli11OrJson) {
  for (const SourceFile& file : sources()) {
    if (!file.path.ends_with(".h") || file.folder == "tests" || file.path.ends_with("core/json.h")) {
      continue;
    }
    for (const std::string& line : file.lines) {
      EXPECT_FALSE(line.starts_with("#include <CLI/") || line.starts_with("#include \"core/json.h\""))
          << file.path << ": " << line;
    }
  }
}

// Counts characters as the formatter does: the continuation bytes of UTF-8 are left out.
size_t characters(const std::string& line) {
  return size_t(std::count_if(line.begin(), line.end(), [](char byte) { return (byte & 0xC0) != 0x80; }));
}

TEST(Tidy, NoLineIsLongerThanItsLimit) {
  constexpr size_t kLongest = 110;
  for (const SourceFile& file : sources()) {
    for (size_t i = 0; i < file.lines.size(); ++i) {
      EXPECT_LE(characters(file.lines[i]), kLongest) << file.path << ":" << i + 1;
    }
  }
}

TEST(Tidy, NoFileIsLongerThanItsLimit) {
  constexpr size_t kMostLines = 450;
  for (const SourceFile& file : sources()) {
    EXPECT_LE(file.lines.size(), kMostLines) << file.path;
  }
}

TEST(Tidy, NobodyCallsWhatMakesRunsDifferOrHidesState) {
  const std::regex banned(R"(\b(srand|std::rand|random_device|system_clock|usleep|getenv_s)\b)");
  // A thread that waits for a drive that is dead outlives its backend, and keeps what it uses.
  const std::regex shared(R"(\bshared_ptr\b)");
  for (const SourceFile& file : sources()) {
    if (file.path == "tests/tidy/tidy_test.cc") {
      continue;
    }
    for (size_t i = 0; i < file.lines.size(); ++i) {
      const std::string code = file.lines[i].substr(0, file.lines[i].find("//"));
      const bool may_share = file.folder == "backends";
      EXPECT_FALSE(std::regex_search(code, banned) || (!may_share && std::regex_search(code, shared)))
          << file.path << ":" << i + 1 << ": " << code;
    }
  }
}

TEST(Tidy, NoWorkIsLeftForLaterWithoutAnIssue) {
  const std::regex marker(R"(\b(TODO|FIXME|XXX)\b)");
  for (const SourceFile& file : sources()) {
    if (file.path == "tests/tidy/tidy_test.cc") {
      continue;
    }
    for (size_t i = 0; i < file.lines.size(); ++i) {
      EXPECT_FALSE(std::regex_search(file.lines[i], marker)) << file.path << ":" << i + 1;
    }
  }
}

TEST(Tidy, EveryHeaderIsGuarded) {
  for (const SourceFile& file : sources()) {
    if (file.path.ends_with(".h")) {
      EXPECT_TRUE(!file.lines.empty() && file.lines.front() == "#pragma once") << file.path;
    }
  }
}

}  // namespace
