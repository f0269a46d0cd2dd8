#include "app/cli/path_list.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <string_view>

namespace spillway {
namespace {

// A path that may not be looked at is there: whoever opens it reports why that failed.
bool is_there(const std::string& path) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::symlink_status(path, error);
  return status.type() != std::filesystem::file_type::not_found;
}

// Returns `text` with `\,` as a comma.
std::string without_escapes(std::string_view text) {
  std::string path;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size() || text[i + 1] != ',') {
      path.push_back(text[i]);
    }
  }
  return path;
}

// The first path of a list, and where it ends there.
struct FirstPath {
  std::string path;
  size_t end = 0;
};

// Returns the longest one that is the path of something.
std::optional<FirstPath> existing_path(std::string_view list) {
  for (size_t end = list.size(); end > 0;) {
    const std::string_view piece = list.substr(0, end);
    // A name that itself has a backslash before a comma is found as it was typed.
    for (std::string path : std::array{std::string(piece), without_escapes(piece)}) {
      if (is_there(path)) {
        return FirstPath{std::move(path), end};
      }
    }
    const size_t comma = list.rfind(',', end - 1);
    end = comma == std::string_view::npos ? 0 : comma;
  }
  return std::nullopt;
}

// Returns the one that ends at the first comma that no backslash precedes.
FirstPath path_to_comma(std::string_view list) {
  size_t end = list.find(',');
  while (end != std::string_view::npos && end > 0 && list[end - 1] == '\\') {
    end = list.find(',', end + 1);
  }
  end = std::min(end, list.size());
  return {without_escapes(list.substr(0, end)), end};
}

}  // namespace

std::vector<std::string> split_paths(const std::string& text) {
  std::vector<std::string> paths;
  for (std::string_view rest = text; !rest.empty();) {
    std::optional<FirstPath> first = existing_path(rest);
    if (!first) {
      first = path_to_comma(rest);
    }
    if (!first->path.empty()) {
      paths.push_back(std::move(first->path));
    }
    rest.remove_prefix(std::min(first->end + 1, rest.size()));
  }
  return paths;
}

}  // namespace spillway
