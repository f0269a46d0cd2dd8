#include <algorithm>
#include <span>
#include <string>
#include <string_view>

#include "core/expects.h"
#include "model/gguf/gguf.h"
#include "model/gguf/gguf_experts.h"
#include "tests/model/gguf_builder.h"

// libFuzzer target. The first byte gives the number of files, one to three, into which the rest is cut. Each
// file except the last is preceded by its length in two bytes, low byte first. A model that opens must keep
// the reader's promises, and every look-up must return.
namespace {

using spillway::Expects;
using spillway::Gguf;
using spillway::GgufExperts;
using spillway::GgufExpertTensor;
using spillway::GgufMetadata;
using spillway::GgufTensor;
using spillway::Result;

// Returns the sizes of the files.
std::vector<uint64_t> write_files(std::string_view input, const spillway::test::ModelDirectory& directory) {
  const auto take = [&input](size_t count) {
    const std::string_view taken = input.substr(0, count);
    input.remove_prefix(taken.size());
    return taken;
  };
  const auto number = [&take](size_t count) {
    size_t value = 0;
    size_t shift = 0;
    for (const char byte : take(count)) {
      value |= size_t(uint8_t(byte)) << shift;
      shift += 8;
    }
    return value;
  };
  const size_t count = number(1) % 3 + 1;
  std::vector<uint64_t> sizes;
  for (size_t i = 1; i <= count; ++i) {
    const std::string_view file = take(i < count ? number(2) : input.size());
    directory.write(file, fmt::format("m-{:05}-of-{:05}.gguf", i, count));
    sizes.push_back(file.size());
  }
  return sizes;
}

void look_everything_up(const GgufMetadata& keys) {
  for (const auto& [key, value] : keys.values()) {
    const bool found[] = {keys.integer<uint8_t>(key).has_value(),
                          keys.integer<int64_t>(key).has_value(),
                          keys.integer<uint64_t>(key).has_value(),
                          keys.real(key).has_value(),
                          keys.flag(key).has_value(),
                          keys.text(key).has_value(),
                          keys.integers<int32_t>(key).has_value(),
                          keys.reals(key).has_value(),
                          keys.integers<uint64_t>(key).has_value(),
                          keys.texts(key).has_value(),
                          keys.per_layer<uint32_t>(key, 3).has_value()};
    Expects(std::count(std::begin(found), std::end(found), true) <= 5);
    if (const auto texts = keys.texts(key)) {
      size_t bytes = 0;
      for (size_t i = 0; i < (*texts)->size(); ++i) {
        bytes += (**texts)[i].size();
      }
      Expects(bytes < spillway::kMiB);
    }
  }
}

void check_tensors(const Gguf& gguf, const std::vector<uint64_t>& sizes) {
  Expects(gguf.files().size() == sizes.size() || gguf.files().size() == 1);
  for (const GgufTensor& tensor : gguf.tensors()) {
    Expects(tensor.file < gguf.files().size());
    Expects(tensor.bytes > 0 && tensor.bytes <= sizes[tensor.file]);
    Expects(tensor.offset <= sizes[tensor.file] - tensor.bytes);
    Expects(gguf.find(tensor.name) == &tensor);
    Expects(gguf.tensor(tensor.name, {tensor.dims[0], tensor.dims[1], tensor.dims[2], tensor.dims[3]})
                .has_value());
  }
}

void check_experts(const Gguf& gguf, const std::vector<uint64_t>& sizes) {
  const Result<GgufExperts> experts = find_gguf_experts(gguf);
  if (!experts) {
    return;
  }
  for (const std::vector<GgufExpertTensor>& parts : experts->layers) {
    for (const GgufExpertTensor& part : parts) {
      Expects(part.bytes > 0 && part.experts == experts->experts_per_layer);
      Expects(part.offset + part.bytes * part.experts <= sizes[part.file]);
    }
  }
  if (const Result<spillway::ModelGeometry> geometry = gguf_geometry(gguf, *experts)) {
    Expects(geometry->validate().has_value());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const spillway::test::ModelDirectory directory;
  const std::vector<uint64_t> sizes = write_files({reinterpret_cast<const char*>(data), size}, directory);
  const Result<Gguf> gguf = Gguf::open(directory / fmt::format("m-00001-of-{:05}.gguf", sizes.size()));
  if (!gguf) {
    Expects(gguf.error().message.find("/m-0000") != std::string::npos);
    return 0;
  }
  look_everything_up(gguf->metadata());
  check_tensors(*gguf, sizes);
  check_experts(*gguf, sizes);
  return 0;
}
