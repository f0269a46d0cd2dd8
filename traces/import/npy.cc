#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "traces/import/header.h"

// Imports a numpy array [tokens, layers, top-k] of expert numbers, as engines hand out what their routers
// chose (vLLM's `routed_experts`, TensorRT-LLM's likewise). The file (numpy.lib.format, versions 1 to 3) has
// the shape and the type, and neither phases nor the number of experts. A layer in which every token has the
// same number top-k times has no experts: engines fill its place with zeros or -1. A token that is -1 in all
// other layers (or the highest number of an unsigned type, which is -1 stored so) is padding.
namespace spillway::importer {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kLongestHead = 64U << 10;  // the format allows more, for arrays of records

struct ArrayHead {
  uint32_t item_bytes = 0;
  bool is_signed = false;
  bool big_endian = false;
  std::array<uint64_t, 3> shape{};
  uint64_t data_offset = 0;
};

// Returns the text behind `'key':` in the head, a Python dictionary on one line.
std::optional<std::string_view> value_of(std::string_view dictionary, std::string_view key) {
  const size_t at = dictionary.find(fmt::format("'{}':", key));
  if (at == std::string_view::npos) {
    return std::nullopt;
  }
  std::string_view rest = dictionary.substr(at + key.size() + 3);
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  return rest;
}

class NpyImport {
 public:
  NpyImport(PlainInput file, const ImportOptions& options, const ImportSink& sink)
      : file_(std::move(file)), options_(options), sink_(sink) {}

  Result<void> run();

 private:
  template <class... Args>
  Unexpected wrong(fmt::format_string<Args...> format, Args&&... args) const {
    return failed("{}: {}", file_.path(), fmt::format(format, std::forward<Args>(args)...));
  }

  Result<void> read_head();
  Result<void> read_type(std::string_view dictionary);
  Result<void> read_shape(std::string_view dictionary);
  Result<void> begin();
  Result<void> find_dense_layers();
  Result<void> each_token(const std::function<Result<void>(uint64_t token)>& visit);
  int64_t number(uint64_t layer, uint64_t slot) const;
  bool is_none(uint64_t layer, uint64_t slot) const;
  Result<bool> is_padding(uint64_t token) const;
  Result<void> take_choices(uint64_t token, uint32_t layer, Step& step);
  Result<void> append_prompt();
  Result<void> append_decoded(uint64_t token);

  uint64_t tokens() const { return head_.shape[0]; }
  uint64_t layers() const { return head_.shape[1]; }
  uint64_t top_k() const { return head_.shape[2]; }
  bool has_experts(uint32_t layer) const { return header_.geometry.expert_bytes[layer] > 0; }

  PlainInput file_;
  const ImportOptions& options_;
  const ImportSink& sink_;
  ArrayHead head_;
  TraceHeader header_;
  std::vector<uint8_t> row_;  // of one token
  std::vector<bool> chosen_;  // per expert, by the current token
  std::vector<Step> prompt_;  // one step a layer
  std::vector<bool> dense_;   // per layer
  uint64_t pass_ = 0;
  uint64_t padding_ = 0;
};

Result<void> NpyImport::read_type(std::string_view dictionary) {
  const std::optional<std::string_view> type = value_of(dictionary, "descr");
  constexpr std::string_view kOrders = "|<>";
  const bool known = type && type->size() >= 5 && (*type)[0] == '\'' &&
                     kOrders.find((*type)[1]) != std::string_view::npos &&
                     ((*type)[2] == 'u' || (*type)[2] == 'i') && (*type)[4] == '\'';
  head_.item_bytes = known ? uint32_t((*type)[3] - '0') : 0;
  if (head_.item_bytes != 1 && head_.item_bytes != 2 && head_.item_bytes != 4 && head_.item_bytes != 8) {
    return wrong("its values are of type {}; expert numbers are integers: save it with .astype(numpy.int32)",
                 type ? type->substr(0, 20) : "unknown");
  }
  head_.is_signed = (*type)[2] == 'i';
  head_.big_endian = (*type)[1] == '>';
  return {};
}

Result<void> NpyImport::read_shape(std::string_view dictionary) {
  std::optional<std::string_view> rest = value_of(dictionary, "shape");
  const std::string_view text = rest ? rest->substr(0, rest->find(')') + 1) : "";
  std::vector<uint64_t> sizes;
  for (const char* at = text.data(); at < text.data() + text.size();) {
    uint64_t size = 0;
    const auto [end, problem] = std::from_chars(at, text.data() + text.size(), size);
    if (problem == std::errc{}) {
      sizes.push_back(size);
    }
    at = end > at ? end : at + 1;
  }
  if (sizes.size() != 3) {
    return wrong("its shape is {}; an array [tokens, layers, top-k] of expert numbers is wanted",
                 text.empty() ? "missing" : text);
  }
  std::copy(sizes.begin(), sizes.end(), head_.shape.begin());
  if (head_.shape[0] == 0 || head_.shape[1] == 0 || head_.shape[2] == 0) {
    return wrong("its shape is {}: there is nothing in it", text);
  }
  if (head_.shape[1] > UINT16_MAX || head_.shape[2] > UINT16_MAX) {
    return wrong(
        "its shape is {}; no model has so many layers or experts a token: the order of the axes is "
        "[tokens, layers, top-k]",
        text);
  }
  return {};
}

Result<void> NpyImport::read_head() {
  std::array<uint8_t, 12> start{};
  Result<size_t> got = file_.read_at(0, start);
  if (!got) {
    return propagate(got);
  }
  const bool is_npy = *got >= start.size() && std::equal(kMagic.begin(), kMagic.end(), start.begin(),
                                                         [](char a, uint8_t b) { return uint8_t(a) == b; });
  const uint32_t version = start[6];
  if (!is_npy || version < 1 || version > 3) {
    return wrong("is not a numpy array of format version 1, 2 or 3");
  }
  const size_t head_at = version == 1 ? 10 : 12;
  const size_t head_bytes = size_t(start[8]) | size_t(start[9]) << 8 |
                            (version == 1 ? 0 : size_t(start[10]) << 16 | size_t(start[11]) << 24);
  if (head_bytes > kLongestHead) {
    return wrong("its head has {} bytes; that of an array of numbers is shorter", head_bytes);
  }
  std::vector<uint8_t> bytes(head_bytes);
  got = file_.read_at(head_at, bytes);
  if (!got) {
    return propagate(got);
  }
  if (*got < head_bytes) {
    return wrong("cut off at offset {}, inside its head", head_at + *got);
  }
  const std::string_view dictionary(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (Result<void> type = read_type(dictionary); !type) {
    return type;
  }
  if (value_of(dictionary, "fortran_order").value_or("").starts_with("True")) {
    return wrong("is stored column by column; save numpy.ascontiguousarray(ARRAY)");
  }
  head_.data_offset = head_at + head_bytes;
  return read_shape(dictionary);
}

Result<void> NpyImport::each_token(const std::function<Result<void>(uint64_t token)>& visit) {
  const Result<uint64_t> there = file_.size();
  if (!there) {
    return Unexpected(there.error());
  }
  const uint64_t row_bytes = layers() * top_k() * head_.item_bytes;
  if (*there - std::min(*there, head_.data_offset) < row_bytes) {
    return wrong("cut off at offset {}: its shape says {} bytes a token", *there, row_bytes);
  }
  row_.resize(row_bytes);
  for (uint64_t token = 0; token < tokens(); ++token) {
    const uint64_t at = head_.data_offset + token * row_.size();
    Result<size_t> got = file_.read_at(at, row_);
    if (!got) {
      return propagate(got);
    }
    if (*got < row_.size()) {
      return wrong("cut off at offset {}: its shape says {} tokens, and it has {}", at + *got, tokens(),
                   token);
    }
    if (Result<void> visited = visit(token); !visited) {
      return visited;
    }
  }
  return {};
}

int64_t NpyImport::number(uint64_t layer, uint64_t slot) const {
  const uint32_t bytes = head_.item_bytes;
  const uint8_t* at = row_.data() + (layer * top_k() + slot) * bytes;
  uint64_t value = 0;
  for (uint32_t i = 0; i < bytes; ++i) {
    value |= uint64_t(at[head_.big_endian ? bytes - 1 - i : i]) << (8 * i);
  }
  if (head_.is_signed) {
    return int64_t(value << (64 - 8 * bytes)) >> (64 - 8 * bytes);
  }
  return value > INT64_MAX ? INT64_MAX : int64_t(value);
}

// Finds layers without experts in a first run over the file: the header needs them before any step.
Result<void> NpyImport::find_dense_layers() {
  dense_.assign(layers(), top_k() > 1);
  return each_token([&](uint64_t) -> Result<void> {
    for (uint64_t layer = 0; layer < layers(); ++layer) {
      for (uint64_t slot = 1; slot < top_k() && dense_[layer]; ++slot) {
        dense_[layer] = number(layer, slot) == number(layer, 0);
      }
    }
    return {};
  });
}

Result<void> NpyImport::begin() {
  if (!options_.experts_per_layer) {
    return wrong_usage("{}: does not say how many experts a layer has; give --experts N or --model PRESET",
                       file_.path());
  }
  if (Result<void> found = find_dense_layers(); !found) {
    return found;
  }
  ModelGeometry& geometry = header_.geometry;
  geometry.layers = uint32_t(layers());
  geometry.experts_per_layer = *options_.experts_per_layer;
  geometry.used_top_k = geometry.top_k = uint32_t(top_k());
  ToldBytes told(layers());
  for (size_t layer = 0; layer < told.size(); ++layer) {
    if (dense_[layer]) {
      told[layer] = 0;
    }
  }
  if (Result<void> complete = complete_geometry(file_.path(), options_, told, geometry); !complete) {
    return complete;
  }
  header_.model = options_.model;
  note_source("numpy array [tokens, layers, top-k]", file_.path(), header_);
  chosen_.resize(geometry.experts_per_layer);
  prompt_.resize(layers());
  if (sink_.note && !options_.prompt_tokens) {
    sink_.note(
        "the array does not tell prompt from answer: every token is taken as decoded alone; with "
        "--prompt-tokens N the first N are one prefill");
  }
  return sink_.begin(header_);
}

bool NpyImport::is_none(uint64_t layer, uint64_t slot) const {
  const uint32_t bits = 8 * head_.item_bytes;
  const int64_t none = head_.is_signed ? -1 : bits == 64 ? INT64_MAX : (int64_t{1} << bits) - 1;
  return number(layer, slot) == none && (head_.is_signed || uint64_t(none) >= chosen_.size());
}

Result<bool> NpyImport::is_padding(uint64_t token) const {
  uint64_t absent = 0;
  uint64_t all = 0;
  for (uint32_t layer = 0; layer < layers(); ++layer) {
    for (uint64_t slot = 0; slot < top_k() && has_experts(layer); ++slot, ++all) {
      absent += is_none(layer, slot) ? 1 : 0;
    }
  }
  if (absent != 0 && absent != all) {
    return wrong(
        "token {} has {} of {} expert numbers that are -1; a token without routing has all of them so, and "
        "is left out; places that the model does not use are cut off with ARRAY[:, :, :K]",
        token, absent, all);
  }
  return absent != 0;
}

Result<void> NpyImport::take_choices(uint64_t token, uint32_t layer, Step& step) {
  std::fill(chosen_.begin(), chosen_.end(), false);
  for (uint64_t slot = 0; slot < top_k(); ++slot) {
    const int64_t expert = number(layer, slot);
    if (expert < 0 || uint64_t(expert) >= chosen_.size()) {
      return wrong("token {}, layer {}: expert {} is not a number below {}", token, layer, expert,
                   chosen_.size());
    }
    if (chosen_[size_t(expert)]) {
      return wrong("token {}, layer {}: expert {} is chosen twice", token, layer, expert);
    }
    chosen_[size_t(expert)] = true;
    step.choices.push_back(uint16_t(expert));
  }
  return {};
}

Result<void> NpyImport::append_prompt() {
  for (uint32_t layer = 0; layer < prompt_.size(); ++layer) {
    Step& step = prompt_[layer];
    step.layer = layer;
    step.phase = Phase::prefill;
    if (!step.choices.empty()) {
      step.tokens = uint32_t(step.choices.size() / top_k());
      if (Result<void> appended = sink_.append(step); !appended) {
        return appended;
      }
      pass_ = 1;
    }
  }
  return {};
}

Result<void> NpyImport::append_decoded(uint64_t token) {
  Step step;
  for (uint32_t layer = 0; layer < layers(); ++layer) {
    if (!has_experts(layer)) {
      continue;
    }
    step.pass = pass_;
    step.layer = layer;
    step.tokens = 1;
    step.choices.clear();
    if (Result<void> taken = take_choices(token, layer, step); !taken) {
      return taken;
    }
    if (Result<void> appended = sink_.append(step); !appended) {
      return appended;
    }
  }
  ++pass_;
  return {};
}

Result<void> NpyImport::run() {
  if (Result<void> head = read_head(); !head) {
    return head;
  }
  if (Result<void> begun = begin(); !begun) {
    return begun;
  }
  const uint64_t prompt = std::min<uint64_t>(options_.prompt_tokens.value_or(0), tokens());
  const auto take = [&](uint64_t token) -> Result<void> {
    Result<bool> padding = is_padding(token);
    if (!padding) {
      return propagate(padding);
    }
    padding_ += *padding ? 1 : 0;
    for (uint32_t layer = 0; layer < layers() && token < prompt && !*padding; ++layer) {
      if (has_experts(layer)) {
        if (Result<void> taken = take_choices(token, layer, prompt_[layer]); !taken) {
          return taken;
        }
      }
    }
    if (token + 1 == prompt) {
      return append_prompt();
    }
    if (sink_.progress) {
      sink_.progress(head_.data_offset + (token + 1) * row_.size());
    }
    return token < prompt || *padding ? Result<void>() : append_decoded(token);
  };
  if (Result<void> read = each_token(take); !read) {
    return read;
  }
  if (sink_.note && padding_ > 0) {
    sink_.note(fmt::format("{} tokens that are -1 throughout were left out", padding_));
  }
  return {};
}

bool recognises(std::string_view start, PlainInput&) {
  return start.starts_with(kMagic);
}

Result<void> import_file(const std::string& path, const ImportOptions& options, const ImportSink& sink) {
  Result<PlainInput> file = PlainInput::open(path);
  if (!file) {
    return propagate(file);
  }
  return NpyImport(std::move(*file), options, sink).run();
}

}  // namespace

Importer npy() {
  return {"npy", "numpy array [tokens, layers, top-k] of expert numbers, as vLLM hands out (needs --experts)",
          recognises, import_file};
}

}  // namespace spillway::importer
