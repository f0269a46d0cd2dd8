#include "app/cli/json_file.h"

#include "core/json.h"
#include "core/parse_json.h"
#include "host/file.h"

namespace spillway {

Result<Json> read_json(const std::string& path, uint64_t most_bytes) {
  Result<std::string> text = read_whole(path);
  if (!text) {
    return propagate(text);
  }
  Result<Json> json = parse_json(*text, {.most_bytes = most_bytes});
  return json ? std::move(json) : failed("{}: {}", path, json.error().message);
}

}  // namespace spillway
