#include "app/cli/whole_file.h"

#include "core/units.h"
#include "host/file.h"

namespace spillway {

Result<std::string> read_whole(const std::string& path) {
  constexpr uint64_t kMost = kGiB;
  Result<InputFile> file = InputFile::open(path);
  if (!file) {
    return propagate(file);
  }
  if (file->size() > kMost) {
    return failed("{}: is {}, and a text of at most {} is taken", path, format_bytes(file->size()),
                  format_bytes(kMost));
  }
  std::string text(file->size(), '\0');
  Result<size_t> got = file->read_at(0, {reinterpret_cast<uint8_t*>(text.data()), text.size()});
  if (!got) {
    return propagate(got);
  }
  text.resize(*got);
  return text;
}

}  // namespace spillway
