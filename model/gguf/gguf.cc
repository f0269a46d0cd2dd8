#include "model/gguf/gguf.h"

#include <algorithm>
#include <charconv>

#include "core/expects.h"
#include "core/text.h"
#include "model/gguf/gguf_head.h"

namespace spillway {
namespace {

// A file's place in a split model, from its keys `split.no` and `split.count`. Without these
// keys a file is the only one.
struct Split {
  uint32_t number = 0;
  uint32_t count = 1;
};

Result<Split> split_of(const std::string& path, const GgufMetadata& metadata) {
  const Result<uint16_t> number = metadata.integer<uint16_t>("split.no", uint16_t(0));
  const Result<uint16_t> count = metadata.integer<uint16_t>("split.count", uint16_t(1));
  if (!number || !count) {
    return Unexpected(number ? count.error() : number.error());
  }
  // Programs that write one file set the count to 0 or 1.
  const Split split{*number, std::max<uint32_t>(*count, 1)};
  if (split.number >= split.count) {
    return failed("{} says it is part {} of {}", path, split.number + 1, split.count);
  }
  return split;
}

// Returns the name of file `index` of a split model, made from the name of the first.
std::optional<std::string> split_name(const std::string& first, uint32_t index, uint32_t count) {
  const std::string end = fmt::format("-{:05}-of-{:05}.gguf", 1, count);
  if (!first.ends_with(end)) {
    return std::nullopt;
  }
  return fmt::format("{}-{:05}-of-{:05}.gguf", first.substr(0, first.size() - end.size()), index + 1, count);
}

Result<void> read_part(const std::string& path, uint32_t index, const Split& first,
                       GgufTensorTable& tensors) {
  Result<GgufMetadata> metadata = read_gguf_head(path, index, tensors);
  if (!metadata) {
    return propagate(metadata);
  }
  Result<Split> split = split_of(path, *metadata);
  if (!split) {
    return propagate(split);
  }
  if (split->count != first.count || split->number != index) {
    return failed("{} says it is part {} of {}, but part {} of {} is expected", path, split->number + 1,
                  split->count, index + 1, first.count);
  }
  return {};
}

Result<void> read_other_parts(const Split& first, std::vector<std::string>& files, GgufTensorTable& tensors) {
  const std::string path = files.front();
  for (uint32_t index = 1; index < first.count; ++index) {
    std::optional<std::string> name = split_name(path, index, first.count);
    if (!name) {
      return failed(
          "{} is the first of {} files, but its name does not end in -00001-of-{:05}.gguf, so the others "
          "cannot "
          "be found",
          path, first.count, first.count);
    }
    if (Result<void> read = read_part(*name, index, first, tensors); !read) {
      return failed("{} (part {} of {} of {})", read.error().message, index + 1, first.count, path);
    }
    files.push_back(std::move(*name));
  }
  return {};
}

// Checks the number of tensors that a split model states for all its files together.
Result<void> check_tensor_count(const std::string& path, const GgufMetadata& metadata,
                                const GgufTensorTable& tensors) {
  const uint64_t found = tensors.list.size();
  const Result<uint64_t> wanted = metadata.integer<uint64_t>("split.tensors.count", found);
  if (!wanted) {
    return Unexpected(wanted.error());
  }
  if (*wanted != found) {
    return failed("{}: split.tensors.count is {}, but the files have {} tensors", path, *wanted, found);
  }
  return {};
}

}  // namespace

GgufTensorName parse_tensor_name(std::string_view name) {
  constexpr std::string_view kBegin = "blk.";
  if (name.starts_with(kBegin)) {
    const std::string_view behind = name.substr(kBegin.size());
    uint32_t block = 0;
    const auto [end, problem] = std::from_chars(behind.data(), behind.data() + behind.size(), block);
    const auto digits = size_t(end - behind.data());
    if (problem == std::errc{} && behind.substr(digits).starts_with('.')) {
      return {block, behind.substr(digits + 1)};
    }
  }
  return {std::nullopt, name};
}

std::string describe_dims(const std::array<uint64_t, 4>& dims) {
  size_t count = dims.size();
  while (count > 1 && dims[count - 1] == 1) {
    --count;
  }
  std::string text = fmt::format("{}", dims.front());
  for (size_t i = 1; i < count; ++i) {
    append(text, "×{}", dims[i]);
  }
  return text;
}

Result<Gguf> Gguf::open(const std::string& path) {
  std::vector<std::string> files = {path};
  GgufTensorTable tensors;
  Result<GgufMetadata> metadata = read_gguf_head(path, 0, tensors);
  if (!metadata) {
    return propagate(metadata);
  }
  Result<Split> split = split_of(path, *metadata);
  if (!split) {
    return propagate(split);
  }
  if (split->number != 0) {
    return failed("{} is part {} of a split model; name the first part", path, split->number + 1);
  }
  if (Result<void> read = read_other_parts(*split, files, tensors); !read) {
    return propagate(read);
  }
  if (Result<void> checked = check_tensor_count(path, *metadata, tensors); !checked) {
    return propagate(checked);
  }
  return Gguf(std::move(files), std::move(*metadata), std::move(tensors));
}

const GgufTensor* Gguf::find(std::string_view name) const {
  const auto found = tensors_.by_name.find(name);
  return found == tensors_.by_name.end() ? nullptr : &tensors_.list[found->second];
}

Result<const GgufTensor*> Gguf::tensor(std::string_view name, std::initializer_list<uint64_t> dims) const {
  std::array<uint64_t, 4> wanted = {1, 1, 1, 1};
  Expects(dims.size() <= wanted.size());
  std::copy(dims.begin(), dims.end(), wanted.begin());
  const GgufTensor* found = find(name);
  if (found == nullptr) {
    return failed("{}: tensor {} ({}) is missing", path(), name, describe_dims(wanted));
  }
  if (found->dims != wanted) {
    return failed("{}: tensor {} has the shape {}, but the model's keys call for {}", files_[found->file],
                  name, describe_dims(found->dims), describe_dims(wanted));
  }
  return found;
}

}  // namespace spillway
