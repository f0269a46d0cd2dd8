#include "stores/packed_format.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/expects.h"
#include "core/json.h"
#include "core/parse_json.h"
#include "core/rng.h"
#include "core/units.h"

namespace spillway {
namespace {

constexpr std::string_view kGeneratedSchema = "spillway.store/1";
constexpr std::string_view kPackedSchema = "spillway.store/2";
constexpr uint64_t kMostHeaderBytes = kMiB;
constexpr uint32_t kMostPieces = 1024;

struct Preamble {
  std::array<char, kPackedMagic.size()> magic;
  uint64_t json_bytes;
  uint64_t checksum;
};
static_assert(sizeof(Preamble) == 32);

uint64_t checksum(std::string_view text) {
  uint64_t state = mix64(text.size());
  for (const char byte : text) {
    state = mix64(state ^ uint8_t(byte));
  }
  return state;
}

Json to_json(const PackedContent& content) {
  Json files = Json::array();
  for (const PackedOrigin::File& file : content.origin.files) {
    files.push_back({{"name", file.name}, {"bytes", file.bytes}});
  }
  Json parts = Json::array();
  for (const std::vector<PackedPart>& layer : content.parts) {
    Json& list = parts.emplace_back(Json::array());
    for (const PackedPart& part : layer) {
      list.push_back({{"name", part.name}, {"bytes", part.bytes}});
    }
  }
  return {{"origin", {{"files", files}, {"fingerprint", content.origin.fingerprint}}},
          {"layout", content.layout},
          {"parts", parts},
          {"index_checksum", content.index_checksum}};
}

PackedContent parse_content(const Json& json) {
  PackedContent content;
  for (const Json& file : json.at("origin").at("files")) {
    content.origin.files.push_back({file.at("name").get<std::string>(), file.at("bytes").get<uint64_t>()});
  }
  content.origin.fingerprint = json.at("origin").at("fingerprint").get<uint64_t>();
  content.layout = json.at("layout").get<std::string>();
  for (const Json& layer : json.at("parts")) {
    std::vector<PackedPart>& parts = content.parts.emplace_back();
    for (const Json& part : layer) {
      parts.push_back({part.at("name").get<std::string>(), part.at("bytes").get<uint64_t>()});
    }
  }
  content.index_checksum = json.at("index_checksum").get<uint64_t>();
  return content;
}

// Reads the required fields of a header. Throws nlohmann's exceptions on a wrong type or a missing key.
PackedHeader parse(const Json& json) {
  const Json& geometry = json.at("geometry");
  PackedHeader header;
  header.layers = geometry.at("layers").get<uint32_t>();
  header.experts_per_layer = geometry.at("experts_per_layer").get<uint32_t>();
  header.expert_bytes = geometry.at("expert_bytes").get<std::vector<uint64_t>>();
  header.parts = json.at("ranges_per_expert").get<uint32_t>();
  header.piece = json.at("piece").at("index").get<uint32_t>();
  header.pieces = json.at("piece").at("count").get<uint32_t>();
  const Json& content = json.at("content");
  if (content.contains("generated")) {
    header.seed = content.at("generated").get<uint64_t>();
  }
  if (content.contains("packed")) {
    header.packed = parse_content(content.at("packed"));
  }
  return header;
}

// The part of validate() that concerns a packed model.
Result<void> validate_content(const std::string& path, const PackedHeader& header) {
  const PackedContent& content = *header.packed;
  if (header.seed || header.parts != 1 || header.pieces != 1) {
    return failed(
        "{}: a packed model must be in one file with one range per expert; this header says otherwise", path);
  }
  if (content.origin.files.empty() || content.parts.size() != header.layers) {
    return failed("{}: the header names {} model files and the parts of {} layers; the store has {} layers",
                  path, content.origin.files.size(), content.parts.size(), header.layers);
  }
  for (uint32_t layer = 0; layer < header.layers; ++layer) {
    // Sizes are subtracted one by one, since their sum may overflow.
    uint64_t left = header.expert_bytes[layer];
    bool whole = true;
    for (const PackedPart& part : content.parts[layer]) {
      whole = whole && part.bytes > 0 && part.bytes <= left;
      left -= whole ? part.bytes : 0;
    }
    if (!whole || left != 0) {
      return failed("{}: the parts of an expert of layer {} do not make up its {} bytes", path, layer,
                    header.expert_bytes[layer]);
    }
  }
  return {};
}

// Checks the values that parse() read. Afterwards the layout can be computed without overflow.
Result<void> validate(const std::string& path, const PackedHeader& header, const Json& json) {
  if (json.at("schema") != (header.packed ? kPackedSchema : kGeneratedSchema) ||
      json.at("alignment") != kPackedAlignment || json.at("data_offset") != kPackedDataOffset) {
    return failed(
        "{}: this program reads stores of {} and {} (a packed model), with alignment {} and data at offset "
        "{}; the header says otherwise",
        path, kGeneratedSchema, kPackedSchema, kPackedAlignment, kPackedDataOffset);
  }
  const ModelGeometry shape = {.layers = header.layers,
                               .experts_per_layer = header.experts_per_layer,
                               .top_k = 1,
                               .used_top_k = 1,
                               .expert_bytes = header.expert_bytes};
  if (Result<void> valid = shape.validate(); !valid) {
    return failed("{}: {}", path, valid.error().message);
  }
  if (header.parts != 1 && header.parts != 3) {
    return failed("{}: ranges_per_expert is {}, not 1 or 3", path, header.parts);
  }
  if (header.pieces == 0 || header.pieces > kMostPieces || header.piece >= header.pieces) {
    return failed("{}: says it is piece {} of {}; at most {} are possible", path, header.piece + 1,
                  header.pieces, kMostPieces);
  }
  return header.packed ? validate_content(path, header) : Result<void>();
}

// Returns the `content` field of the header.
Json content_json(const PackedHeader& header) {
  Json content = Json::object();
  if (header.seed) {
    content["generated"] = *header.seed;
  }
  if (header.packed) {
    content["packed"] = to_json(*header.packed);
  }
  return content;
}

}  // namespace

std::string describe(const PackedOrigin& origin) {
  Expects(!origin.files.empty());
  return fmt::format("{} (fingerprint {:016x})", origin.files.front().name, origin.fingerprint);
}

Result<std::string> write_packed_header(const PackedHeader& header) {
  // The keys stay in alphabetical order: an existing scratch store is recognised by comparing these bytes.
  const Json json = {{"alignment", kPackedAlignment},
                     {"content", content_json(header)},
                     {"data_offset", kPackedDataOffset},
                     {"geometry",
                      {{"expert_bytes", header.expert_bytes},
                       {"experts_per_layer", header.experts_per_layer},
                       {"layers", header.layers}}},
                     {"piece", {{"count", header.pieces}, {"index", header.piece}}},
                     {"ranges_per_expert", header.parts},
                     {"schema", header.packed ? kPackedSchema : kGeneratedSchema}};
  // A file name need not be UTF-8. Invalid bytes are replaced, since the library would otherwise throw.
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > kMostHeaderBytes) {
    return failed("{} layers need a store header of {}; at most {} are possible", header.layers,
                  format_bytes(text.size()), format_bytes(kMostHeaderBytes));
  }
  Preamble preamble = {.magic = {}, .json_bytes = text.size(), .checksum = checksum(text)};
  std::copy(kPackedMagic.begin(), kPackedMagic.end(), preamble.magic.begin());
  std::string bytes(sizeof preamble, '\0');
  std::memcpy(bytes.data(), &preamble, sizeof preamble);
  return bytes + text;
}

Result<PackedHeader> read_packed_header(const InputFile& file) {
  const std::string& path = file.path();
  Preamble preamble = {};
  Result<size_t> got = file.read_at(0, std::as_writable_bytes(std::span(&preamble, 1)));
  if (!got) {
    return propagate(got);
  }
  if (*got < sizeof preamble) {
    return failed("{}: cut off at {} bytes, within the header", path, *got);
  }
  if (std::string_view(preamble.magic.data(), preamble.magic.size()) != kPackedMagic) {
    return failed("{} is not a packed store: its first bytes are those of another format", path);
  }
  if (preamble.json_bytes > kMostHeaderBytes) {
    return failed("{}: offset 16: the header claims to have {} bytes; at most {} are possible", path,
                  preamble.json_bytes, kMostHeaderBytes);
  }
  std::string text(preamble.json_bytes, '\0');
  got = file.read_at(sizeof preamble, std::as_writable_bytes(std::span(text)));
  if (!got) {
    return propagate(got);
  }
  if (*got < text.size()) {
    return failed("{}: cut off at {} bytes, within the header of {}", path, sizeof preamble + *got,
                  sizeof preamble + text.size());
  }
  if (checksum(text) != preamble.checksum) {
    return failed("{}: the header is damaged: its checksum at offset 24 does not match", path);
  }
  const Result<Json> json = parse_json(text, {.most_bytes = kMostHeaderBytes});
  if (!json) {
    return failed("{}: the header {}", path, json.error().message);
  }
  try {
    const PackedHeader header = parse(*json);
    if (Result<void> valid = validate(path, header, *json); !valid) {
      return propagate(valid);
    }
    return header;
  } catch (const Json::exception& problem) {
    return failed("{}: the header cannot be understood: {}", path, problem.what());
  }
}

Result<std::optional<PackedOrigin>> packed_origin(const std::string& path) {
  Result<InputFile> file = InputFile::open(path);
  if (!file) {
    return propagate(file);
  }
  Result<PackedHeader> header = read_packed_header(*file);
  if (!header) {
    return propagate(header);
  }
  return header->packed ? std::optional(std::move(header->packed->origin)) : std::nullopt;
}

std::string describe_shape(uint32_t layers, uint32_t experts_per_layer,
                           const std::vector<uint64_t>& expert_bytes) {
  if (expert_bytes.empty()) {
    return fmt::format("{} layers × {} experts", layers, experts_per_layer);
  }
  const auto [low, high] = std::minmax_element(expert_bytes.begin(), expert_bytes.end());
  return *low == *high ? fmt::format("{} layers × {} experts of {} bytes", layers, experts_per_layer, *high)
                       : fmt::format("{} layers × {} experts of {} to {} bytes", layers, experts_per_layer,
                                     *low, *high);
}

PackedLayout::PackedLayout(const PackedHeader& header) : parts_(header.parts), pieces_(header.pieces) {
  uint64_t offset = kPackedDataOffset;
  for (const uint64_t expert_bytes : header.expert_bytes) {
    const uint64_t each = expert_bytes / parts_;
    for (uint32_t part = 0; part < parts_; ++part) {
      const uint64_t bytes = part + 1 < parts_ ? each : expert_bytes - each * (parts_ - 1);
      const uint64_t slot = round_up((bytes + pieces_ - 1) / pieces_, kPackedAlignment);
      tables_.push_back({offset, bytes, slot});
      offset += slot * header.experts_per_layer;
    }
  }
  file_bytes_ = offset;
}

void PackedLayout::ranges(uint32_t layer, uint32_t slot, std::vector<ByteRange>& out) const {
  for (uint32_t part = 0; part < parts_; ++part) {
    const Table& table = tables_[size_t(layer) * parts_ + part];
    uint64_t left = table.bytes;
    for (uint32_t piece = 0; left > 0; ++piece) {
      const uint64_t bytes = std::min(left, table.slot);
      out.push_back({piece, table.offset + slot * table.slot, bytes});
      left -= bytes;
    }
  }
}

}  // namespace spillway
