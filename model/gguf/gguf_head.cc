#include "model/gguf/gguf_head.h"

#include <bit>

#include "core/units.h"
#include "model/gguf/gguf_cursor.h"

namespace spillway {
namespace {

constexpr uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr uint64_t kMostKeyBytes = 65535;
constexpr uint64_t kMostNameBytes = 63;
constexpr uint64_t kMostAlignment = kMiB;
constexpr uint32_t kUsualAlignment = 32;

// The sizes of the smallest key with its value and of the smallest tensor entry.
constexpr uint64_t kLeastPairBytes = 8 + 1 + 4 + 1;
constexpr uint64_t kLeastTensorBytes = 8 + 4 + 8 + 4 + 8;

std::vector<std::byte> read_numbers(GgufCursor& cursor, GgufType type, uint64_t count) {
  const uint64_t width = gguf_scalar_bytes(type);
  if (!cursor.has_bytes_for(count, width, "an array")) {
    return {};
  }
  return cursor.bytes(count * width, "an array");
}

StringArray read_texts(GgufCursor& cursor, uint64_t count) {
  StringArray texts;
  if (!cursor.has_bytes_for(count, sizeof(uint64_t), "an array of texts")) {
    return texts;
  }
  texts.reserve(count);
  for (uint64_t i = 0; i < count && !cursor.problem(); ++i) {
    texts.push_back(cursor.text(cursor.remaining(), "an array's text"));
  }
  return texts;
}

GgufValue read_array(GgufCursor& cursor) {
  const auto type = GgufType(cursor.number<uint32_t>("an array's type"));
  if (type != GgufType::text && gguf_scalar_bytes(type) == 0) {
    cursor.fail(fmt::format("an array of elements of unknown type {}", uint32_t(type)));
  }
  const uint64_t count = cursor.number<uint64_t>("an array's length");
  if (cursor.problem()) {
    return false;
  }
  if (type == GgufType::text) {
    return read_texts(cursor, count);
  }
  return NumberArray(type, read_numbers(cursor, type, count));
}

GgufValue read_value(GgufCursor& cursor) {
  const auto type = GgufType(cursor.number<uint32_t>("a value's type"));
  if (type == GgufType::text) {
    return cursor.text(cursor.remaining(), "a text");
  }
  if (type == GgufType::array) {
    return read_array(cursor);
  }
  if (gguf_scalar_bytes(type) == 0) {
    cursor.fail(fmt::format("a value of unknown type {}", uint32_t(type)));
    return false;
  }
  const std::vector<std::byte> bytes = cursor.bytes(gguf_scalar_bytes(type), "a value");
  if (cursor.problem()) {
    return false;
  }
  return std::visit([](auto value) { return GgufValue(value); }, gguf_scalar(type, bytes.data()));
}

// Reads `count` keys with their values. Appends the place of each to `pairs` unless that is nullptr.
GgufMetadata read_metadata(GgufCursor& cursor, uint64_t count, std::vector<GgufPair>* pairs = nullptr) {
  GgufMetadata metadata(cursor.path());
  for (uint64_t i = 0; i < count && !cursor.problem(); ++i) {
    const uint64_t begin = cursor.position();
    std::string key = cursor.text(kMostKeyBytes, "a key");
    if (key.empty()) {
      cursor.fail("a key is empty");
    } else if (metadata.has(key)) {
      cursor.fail(fmt::format("key {} appears twice", key));
    }
    GgufValue value = read_value(cursor);
    if (!cursor.problem()) {
      if (pairs != nullptr) {
        pairs->push_back({key, begin, cursor.position()});
      }
      metadata.add(std::move(key), std::move(value));
    }
  }
  return metadata;
}

uint64_t read_alignment(GgufCursor& cursor, const GgufMetadata& metadata) {
  const Result<uint64_t> alignment = metadata.integer<uint64_t>("general.alignment", kUsualAlignment);
  if (!alignment) {
    cursor.fail(alignment.error().message);
    return kUsualAlignment;
  }
  if (!std::has_single_bit(*alignment) || *alignment > kMostAlignment) {
    cursor.fail(
        fmt::format("general.alignment is {}, not a power of two up to {}", *alignment, kMostAlignment));
    return kUsualAlignment;
  }
  return *alignment;
}

// Returns the bytes of all rows. Fails when a row is not a whole number of blocks, when the tensor is empty,
// or when it is larger than the file.
Result<uint64_t> tensor_bytes(const GgufTensor& tensor, uint64_t most) {
  const Result<uint64_t> row = row_bytes(tensor.type, tensor.dims[0]);
  if (!row) {
    return row;
  }
  uint64_t bytes = *row;
  for (size_t i = 1; i < tensor.dims.size(); ++i) {
    if (__builtin_mul_overflow(bytes, tensor.dims[i], &bytes)) {
      bytes = UINT64_MAX;
      break;
    }
  }
  if (bytes == 0 || bytes > most) {
    return failed("{} values of type {} do not fit into a file of {} bytes", describe_dims(tensor.dims),
                  tensor_type_info(tensor.type).name, most);
  }
  return bytes;
}

// Reads one entry of the table; its offset counts from the beginning of the data.
GgufTensor read_tensor(GgufCursor& cursor, uint32_t file) {
  GgufTensor tensor;
  tensor.file = file;
  tensor.name = cursor.text(kMostNameBytes, "a tensor's name");
  const auto count = cursor.number<uint32_t>("a tensor's dimensions");
  if (count < 1 || count > tensor.dims.size()) {
    cursor.fail(fmt::format("tensor {} has {} dimensions, not 1 to 4", tensor.name, count));
  }
  for (uint32_t i = 0; i < count && !cursor.problem(); ++i) {
    tensor.dims[i] = cursor.number<uint64_t>("a tensor's sizes");
  }
  const auto number = cursor.number<uint32_t>("a tensor's type");
  const TensorTypeInfo* type = find_tensor_type(number);
  if (type == nullptr) {
    cursor.fail(
        fmt::format("tensor {} is of type {}, which this program does not know", tensor.name, number));
    return tensor;
  }
  tensor.type = type->type;
  if (!cursor.problem()) {
    const Result<uint64_t> bytes = tensor_bytes(tensor, cursor.file_size());
    if (bytes) {
      tensor.bytes = *bytes;
    } else {
      cursor.fail(fmt::format("tensor {}: {}", tensor.name, bytes.error().message));
    }
  }
  tensor.offset = cursor.number<uint64_t>("a tensor's offset");
  return tensor;
}

// Reads the table. Its tensors must follow each other without gaps, which reveals a damaged one. Returns the
// size of the data; the padding behind the last tensor may be missing.
uint64_t read_table(GgufCursor& cursor, uint64_t count, uint64_t alignment, uint32_t file,
                    GgufTensorTable& tensors) {
  uint64_t end = 0;
  for (uint64_t i = 0; i < count && !cursor.problem(); ++i) {
    GgufTensor tensor = read_tensor(cursor, file);
    // No overflow: both addends are at most as large as a file.
    const uint64_t expected = round_up(end, alignment);
    if (tensor.offset != expected) {
      cursor.fail(fmt::format("tensor {} has the offset {} within the data, but its place is at {}",
                              tensor.name, tensor.offset, expected));
    }
    if (tensor.bytes > cursor.file_size() - std::min(expected, cursor.file_size())) {
      cursor.fail(fmt::format("tensor {} ends beyond the end of the file", tensor.name));
    }
    if (!tensors.by_name.try_emplace(tensor.name, tensors.list.size()).second) {
      cursor.fail(fmt::format("tensor {} appears twice", tensor.name));
    }
    end = expected + tensor.bytes;
    tensors.list.push_back(std::move(tensor));
  }
  return end;
}

// Turns offsets within the data into offsets within the file. The data begins at the next
// multiple of the alignment.
void place_tensors(GgufCursor& cursor, uint64_t alignment, uint64_t data_bytes,
                   std::span<GgufTensor> tensors) {
  const uint64_t begin = round_up(cursor.position(), alignment);
  if (!tensors.empty() && (begin > cursor.file_size() || data_bytes > cursor.file_size() - begin)) {
    cursor.fail(fmt::format("the tensors need {} bytes from {} on, but the file has only {}", data_bytes,
                            begin, cursor.file_size()));
  }
  for (GgufTensor& tensor : tensors) {
    tensor.offset += begin;
  }
}

void read_version(GgufCursor& cursor) {
  if (cursor.number<uint32_t>("the magic") != kMagic) {
    cursor.fail("this is not a GGUF file");
  }
  const auto version = cursor.number<uint32_t>("the version");
  if ((version & 0xffff) == 0) {
    cursor.fail("this is a big-endian GGUF file; only little-endian ones can be read");
  } else if (version != 2 && version != 3) {
    cursor.fail(fmt::format("the GGUF version is {}; only versions 2 and 3 can be read", version));
  }
}

}  // namespace

Result<std::vector<GgufPair>> find_gguf_pairs(const std::string& path) {
  Result<std::unique_ptr<GgufCursor>> opened = GgufCursor::open(path);
  if (!opened) {
    return propagate(opened);
  }
  GgufCursor& cursor = **opened;
  read_version(cursor);
  cursor.number<uint64_t>("the tensor count");
  const auto count = cursor.number<uint64_t>("the key count");
  cursor.has_bytes_for(count, kLeastPairBytes, "a list of keys");
  std::vector<GgufPair> pairs;
  read_metadata(cursor, count, &pairs);
  if (cursor.problem()) {
    return Unexpected(*cursor.problem());
  }
  return pairs;
}

Result<GgufMetadata> read_gguf_head(const std::string& path, uint32_t file, GgufTensorTable& tensors) {
  Result<std::unique_ptr<GgufCursor>> opened = GgufCursor::open(path);
  if (!opened) {
    return propagate(opened);
  }
  GgufCursor& cursor = **opened;
  read_version(cursor);
  const auto tensor_count = cursor.number<uint64_t>("the tensor count");
  cursor.has_bytes_for(tensor_count, kLeastTensorBytes, "a tensor table");
  const auto pair_count = cursor.number<uint64_t>("the key count");
  cursor.has_bytes_for(pair_count, kLeastPairBytes, "a list of keys");
  GgufMetadata metadata = read_metadata(cursor, pair_count);
  const uint64_t alignment = read_alignment(cursor, metadata);
  const size_t before = tensors.list.size();
  const uint64_t data_bytes = read_table(cursor, tensor_count, alignment, file, tensors);
  place_tensors(cursor, alignment, data_bytes, std::span(tensors.list).subspan(before));
  if (cursor.problem()) {
    return Unexpected(*cursor.problem());
  }
  return metadata;
}

}  // namespace spillway
