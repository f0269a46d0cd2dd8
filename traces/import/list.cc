#include <array>

#include "traces/import/rows.h"

namespace spillway {

// Each function is defined in the file of the same name beside this one.
namespace importer {
Importer csv(), bigmoe(), warp(), npy(), table(), oracle_general();
}

namespace {

// What people have instead of a trace, by the first bytes, and what to do with it.
struct Foreign {
  std::string_view start;
  std::string_view remedy;
};

constexpr Foreign kForeign[] = {
    {"PK\x03\x04",
     "a zip archive; numpy and torch save several arrays in one: save the routing alone, with "
     "numpy.save('routed.npy', numpy.load(FILE)['NAME'])"},
    {"\xfd"
     "7zXZ",
     "compressed with xz; unpack it with `xz -dk`"},
    {"BZh", "compressed with bzip2; unpack it with `bzip2 -dk`"},
    {"\x04\x22\x4d\x18", "compressed with lz4; unpack it with `lz4 -d`"},
    {"PAR1", "a Parquet table; convert it to CSV with columns token, layer and expert, which pandas writes"},
    {"GGUF", "a model; `spillway record --model FILE` makes a trace of it"},
};

}  // namespace

std::span<const Importer> importers() {
  using namespace importer;
  static const std::array list = {csv(), bigmoe(), warp(), npy(), table(), oracle_general()};
  return list;
}

Result<const Importer*> find_importer(const std::string& name, const std::string& path) {
  std::string known;
  for (const Importer& importer : importers()) {
    if (importer.name == name) {
      return &importer;
    }
    known += known.empty() ? importer.name : ", " + importer.name;
  }
  if (!name.empty()) {
    return wrong_usage("there is no trace format '{}'; there are: {}", name, known);
  }
  Result<PlainInput> file = PlainInput::open(path);
  if (!file) {
    return propagate(file);
  }
  std::string start(64 * 1024, '\0');
  Result<size_t> got = file->read_at(0, std::span(reinterpret_cast<uint8_t*>(start.data()), start.size()));
  if (!got) {
    return propagate(got);
  }
  start.resize(*got);
  if (start.empty()) {
    return failed("{}: is empty; its recorder was perhaps stopped before the first row was written", path);
  }
  if (start.starts_with(kByteOrderMark)) {
    start.erase(0, kByteOrderMark.size());
  }
  if (looks_like_trace(start)) {
    return failed("{}: is a Spillway trace already; there is nothing to import", path);
  }
  for (const Importer& importer : importers()) {
    if (importer.recognises(start, *file)) {
      return &importer;
    }
  }
  for (const auto& [beginning, remedy] : kForeign) {
    if (start.starts_with(beginning)) {
      return failed("{}: is {}", path, remedy);
    }
  }
  return failed("{}: is in no known trace format; give its format with --from ({})", path, known);
}

}  // namespace spillway
