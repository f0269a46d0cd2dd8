#include "traces/format.h"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/json.h"
#include "core/parse_json.h"

namespace spillway {
namespace {

static_assert(std::endian::native == std::endian::little, "the format has the byte order of memory");

constexpr std::string_view kTraceSchema = "spillway.trace/1";
// The line ending reveals a transfer in text mode, the high bit a transfer that was not 8-bit clean.
constexpr std::string_view kMagic = "\xffSPWTR\r\n";
static_assert(kMagic.size() == 8);
constexpr size_t kHashedFileHeadBytes = 16;
constexpr size_t kHashedBlockHeadBytes = 32;

template <class T>
void put(uint8_t* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

template <class T>
T take(const uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// Returns the field `key` of `object`, which must be an unsigned number of at most `most`.
Result<uint64_t> unsigned_field(const Json& object, const char* key, uint64_t most) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_unsigned() || found->get<uint64_t>() > most) {
    return failed("header: '{}' must be a whole number of at most {}", key, most);
  }
  return found->get<uint64_t>();
}

Result<ModelGeometry> geometry_from_json(const Json& object) {
  ModelGeometry geometry;
  const std::pair<const char*, uint32_t*> fields[] = {{"layers", &geometry.layers},
                                                      {"experts_per_layer", &geometry.experts_per_layer},
                                                      {"native_top_k", &geometry.top_k},
                                                      {"used_top_k", &geometry.used_top_k}};
  for (const auto& [key, value] : fields) {
    Result<uint64_t> number = unsigned_field(object, key, UINT32_MAX);
    if (!number) {
      return propagate(number);
    }
    *value = uint32_t(*number);
  }
  const auto bytes = object.find("expert_bytes");
  if (bytes == object.end() || !bytes->is_array()) {
    return failed("header: 'expert_bytes' must be a list with one size per layer");
  }
  for (const Json& entry : *bytes) {
    if (!entry.is_number_unsigned()) {
      return failed("header: 'expert_bytes' holds an entry that is not a size");
    }
    geometry.expert_bytes.push_back(entry.get<uint64_t>());
  }
  if (Result<void> valid = geometry.validate(); !valid) {
    return propagate(valid);
  }
  return geometry;
}

Result<void> read_lists(const Json& root, TraceHeader& header) {
  const auto provenance = root.find("provenance");
  if (provenance != root.end() && provenance->is_object()) {
    for (const auto& [key, value] : provenance->items()) {
      header.provenance.emplace_back(key, value.is_string() ? value.get<std::string>() : value.dump());
    }
  }
  const auto seeds = root.find("seeds");
  if (seeds != root.end() && seeds->is_object()) {
    for (const auto& [key, value] : seeds->items()) {
      if (!value.is_number_unsigned()) {
        return failed("header: seed '{}' is not a whole number", key);
      }
      header.seeds.emplace_back(key, value.get<uint64_t>());
    }
  }
  return {};
}

Result<TraceColumns> columns_from_json(const Json& root) {
  TraceColumns columns;
  const auto list = root.find("columns");
  if (list == root.end() || !list->is_array()) {
    return failed("header: 'columns' must be a list of names");
  }
  for (const Json& name : *list) {
    if (name == "weights") {
      columns.weights = true;
    } else if (name == "times") {
      columns.times = true;
    } else if (name == "lookahead") {
      columns.lookahead = true;
    } else if (name == "token_ids") {
      columns.token_ids = true;
    } else {
      return failed("header: column {} is unknown; the file needs a newer spillway", name.dump());
    }
  }
  return columns;
}

}  // namespace

std::string header_to_json(const TraceHeader& header) {
  Json columns = Json::array();
  for (const auto& [there, name] :
       {std::pair(header.columns.weights, "weights"), std::pair(header.columns.times, "times"),
        std::pair(header.columns.lookahead, "lookahead"), std::pair(header.columns.token_ids, "token_ids")}) {
    if (there) {
      columns.push_back(name);
    }
  }
  const ModelGeometry& geometry = header.geometry;
  Json root = {{"schema", kTraceSchema},
               {"model", header.model},
               {"geometry",
                {{"layers", geometry.layers},
                 {"experts_per_layer", geometry.experts_per_layer},
                 {"native_top_k", geometry.top_k},
                 {"used_top_k", geometry.used_top_k},
                 {"expert_bytes", geometry.expert_bytes}}},
               {"columns", columns},
               {"provenance", Json::object()},
               {"seeds", Json::object()}};
  for (const auto& [key, value] : header.provenance) {
    root["provenance"][key] = value;
  }
  for (const auto& [key, value] : header.seeds) {
    root["seeds"][key] = value;
  }
  // A path or a model name need not be UTF-8; the header must be.
  return root.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<TraceHeader> header_from_json(std::string_view text) {
  const Result<Json> parsed = parse_json(text, {.most_bytes = kMaxHeaderBytes});
  if (!parsed) {
    return failed("header: {}", parsed.error().message);
  }
  const Json& root = *parsed;
  if (!root.is_object()) {
    return failed("header: not a JSON object");
  }
  if (const auto schema = root.find("schema"); schema == root.end() || *schema != kTraceSchema) {
    return failed("header: schema is {}; this spillway reads {}",
                  schema == root.end() ? "missing" : schema->dump(), kTraceSchema);
  }
  const auto described = root.find("geometry");
  if (described == root.end() || !described->is_object()) {
    return failed("header: 'geometry' is missing");
  }
  TraceHeader header;
  Result<ModelGeometry> geometry = geometry_from_json(*described);
  if (!geometry) {
    return propagate(geometry);
  }
  header.geometry = std::move(*geometry);
  Result<TraceColumns> columns = columns_from_json(root);
  if (!columns) {
    return propagate(columns);
  }
  header.columns = *columns;
  if (const auto model = root.find("model"); model != root.end() && model->is_string()) {
    header.model = model->get<std::string>();
  }
  if (Result<void> lists = read_lists(root, header); !lists) {
    return propagate(lists);
  }
  return header;
}

uint64_t trace_hash(std::span<const uint8_t> bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

Result<Buffer> encode_file_head(const TraceHeader& header, uint64_t& hash) {
  const std::string json = header_to_json(header);
  if (json.size() > kMaxHeaderBytes) {
    return failed("a header of {} bytes; at most {} are supported", json.size(), kMaxHeaderBytes);
  }
  Buffer bytes(kFileHeadBytes + json.size());
  std::copy(kMagic.begin(), kMagic.end(), bytes.begin());
  put(bytes.data() + 8, kTraceVersion);
  put(bytes.data() + 12, uint32_t(json.size()));
  std::copy(json.begin(), json.end(), bytes.begin() + kFileHeadBytes);
  const std::span<const uint8_t> all(bytes);
  hash = trace_hash(all.subspan(kFileHeadBytes), trace_hash(all.first(kHashedFileHeadBytes), 0));
  put(bytes.data() + kHashedFileHeadBytes, hash);
  return bytes;
}

Result<FileHead> decode_file_head(std::span<const uint8_t, kFileHeadBytes> bytes) {
  if (!looks_like_trace({reinterpret_cast<const char*>(bytes.data()), bytes.size()})) {
    return failed("not a Spillway trace; `spillway trace import` reads other formats");
  }
  const uint32_t version = take<uint32_t>(bytes.data() + 8);
  if (version != kTraceVersion) {
    return failed("trace format version {}; this spillway reads version {}", version, kTraceVersion);
  }
  FileHead head{take<uint32_t>(bytes.data() + 12), take<uint64_t>(bytes.data() + kHashedFileHeadBytes)};
  if (head.header_bytes > kMaxHeaderBytes) {
    return failed("damaged at offset 12: a header of {} bytes; at most {} are allowed", head.header_bytes,
                  kMaxHeaderBytes);
  }
  return head;
}

bool header_is_intact(std::span<const uint8_t, kFileHeadBytes> head, std::span<const uint8_t> json) {
  return trace_hash(json, trace_hash(head.first<kHashedFileHeadBytes>(), 0)) ==
         take<uint64_t>(head.data() + kHashedFileHeadBytes);
}

std::array<uint8_t, kBlockHeadBytes> encode_block_head(const BlockHead& head, uint64_t seed) {
  std::array<uint8_t, kBlockHeadBytes> bytes{};
  put(bytes.data(), head.kind);
  put(bytes.data() + 4, head.payload_bytes);
  put(bytes.data() + 8, head.steps);
  put(bytes.data() + 12, head.number);
  put(bytes.data() + 16, head.first_step);
  put(bytes.data() + 24, head.payload_hash);
  put(bytes.data() + kHashedBlockHeadBytes,
      trace_hash(std::span(bytes).first<kHashedBlockHeadBytes>(), seed));
  return bytes;
}

Result<BlockHead> decode_block_head(std::span<const uint8_t, kBlockHeadBytes> bytes, uint64_t seed) {
  if (take<uint64_t>(bytes.data() + kHashedBlockHeadBytes) !=
      trace_hash(bytes.first<kHashedBlockHeadBytes>(), seed)) {
    return failed("its head does not match its checksum");
  }
  BlockHead head;
  head.kind = take<BlockKind>(bytes.data());
  head.payload_bytes = take<uint32_t>(bytes.data() + 4);
  head.steps = take<uint32_t>(bytes.data() + 8);
  head.number = take<uint32_t>(bytes.data() + 12);
  head.first_step = take<uint64_t>(bytes.data() + 16);
  head.payload_hash = take<uint64_t>(bytes.data() + 24);
  if (head.kind != BlockKind::steps && head.kind != BlockKind::end) {
    return failed("its kind {:#x} is unknown; the file needs a newer spillway", uint32_t(head.kind));
  }
  if (head.payload_bytes > kMaxPayloadBytes) {
    return failed("its payload of {} bytes is larger than any writer's", head.payload_bytes);
  }
  return head;
}

bool looks_like_trace(std::string_view start) {
  return start.starts_with(kMagic);
}

}  // namespace spillway
