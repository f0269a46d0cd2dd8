#include <algorithm>

#include "core/json.h"
#include "traces/import/import.h"
#include "traces/import/lines.h"

// WARP traces: one JSON object per decoded token, {"tok": 1, "layers": [[experts of layer 0], …]}. Experts
// come in ascending order, so which of them the router liked best is not known.
namespace spillway {
namespace {

class WarpImport {
 public:
  WarpImport(LineReader lines, const ImportOptions& options, const ImportSink& sink)
      : lines_(std::move(lines)), options_(options), sink_(sink) {}

  Result<void> run();

 private:
  template <class... Args>
  Unexpected here(fmt::format_string<Args...> format, Args&&... args) const {
    return failed("{}:{}: {}", lines_.path(), lines_.number(),
                  fmt::format(format, std::forward<Args>(args)...));
  }

  Result<void> begin(const Json& layers);
  Result<void> add(const Json& token);

  LineReader lines_;
  const ImportOptions& options_;
  const ImportSink& sink_;
  TraceHeader header_;
  bool begun_ = false;
  uint64_t last_token_ = 0;
  Step step_;
};

Result<void> WarpImport::begin(const Json& layers) {
  ModelGeometry& geometry = header_.geometry;
  geometry.layers = uint32_t(layers.size());
  geometry.used_top_k = layers.empty() ? 0 : uint32_t(layers.front().size());
  if (!options_.experts_per_layer) {
    return wrong_usage("{}: does not say how many experts a layer has; give --experts N or --model PRESET",
                       lines_.path());
  }
  geometry.experts_per_layer = *options_.experts_per_layer;
  geometry.top_k = options_.native_top_k.value_or(geometry.used_top_k);
  if (Result<void> same = check_same_shape(lines_.path(), options_, geometry); !same) {
    return same;
  }
  Result<std::vector<uint64_t>> bytes =
      expert_bytes_per_layer(lines_.path(), options_, std::vector<bool>(geometry.layers, true));
  if (!bytes) {
    return propagate(bytes);
  }
  geometry.expert_bytes = std::move(*bytes);
  if (Result<void> valid = geometry.validate(); !valid) {
    return here("{}", valid.error().message);
  }
  header_.model = options_.model;
  header_.provenance = {{"format", "WARP JSONL"},
                        {"source", lines_.path().substr(lines_.path().find_last_of('/') + 1)}};
  begun_ = true;
  return sink_.begin(header_);
}

Result<void> WarpImport::add(const Json& token) {
  const auto layers = token.is_object() ? token.find("layers") : token.end();
  const auto number = token.is_object() ? token.find("tok") : token.end();
  if (!token.is_object() || layers == token.end() || !layers->is_array() || number == token.end() ||
      !number->is_number_unsigned() ||
      !std::all_of(layers->begin(), layers->end(), [](const Json& layer) { return layer.is_array(); })) {
    return here("not an object with a number 'tok' and a list of lists 'layers'");
  }
  if (!begun_) {
    if (Result<void> begun = begin(*layers); !begun) {
      return begun;
    }
  } else if (number->get<uint64_t>() <= last_token_) {
    return here("out of order: token {} after token {}", number->get<uint64_t>(), last_token_);
  } else {
    ++step_.pass;
  }
  last_token_ = number->get<uint64_t>();
  const ModelGeometry& geometry = header_.geometry;
  if (layers->size() != geometry.layers) {
    return here("has {} layers; the lines before have {}", layers->size(), geometry.layers);
  }
  for (uint32_t layer = 0; layer < geometry.layers; ++layer) {
    step_.layer = layer;
    step_.choices.clear();
    for (const Json& expert : (*layers)[layer]) {
      if (!expert.is_number_unsigned() || expert.get<uint64_t>() >= geometry.experts_per_layer) {
        return here("layer {}: expert {} is not a number below {}", layer, expert.dump().substr(0, 40),
                    geometry.experts_per_layer);
      }
      const auto choice = expert.get<uint16_t>();
      if (std::find(step_.choices.begin(), step_.choices.end(), choice) != step_.choices.end()) {
        return here("layer {}: expert {} is chosen twice by one token", layer, choice);
      }
      step_.choices.push_back(choice);
    }
    if (step_.choices.size() != geometry.used_top_k) {
      return here("layer {} has {} experts; the others have {}", layer, step_.choices.size(),
                  geometry.used_top_k);
    }
    if (Result<void> appended = sink_.append(step_); !appended) {
      return appended;
    }
  }
  return {};
}

Result<void> WarpImport::run() {
  std::string_view line;
  for (;;) {
    Result<bool> more = lines_.next(line);
    if (!more) {
      return propagate(more);
    }
    if (!*more) {
      break;
    }
    if (line.empty()) {
      continue;
    }
    const Json token = Json::parse(line, nullptr, false);
    if (token.is_discarded()) {
      return here("not JSON");
    }
    if (Result<void> added = add(token); !added) {
      return added;
    }
  }
  return begun_ ? Result<void>{} : failed("{}: has no tokens", lines_.path());
}

bool recognises(std::string_view start, uint64_t) {
  return start.starts_with('{') && start.substr(0, 4096).find("\"tok\"") != std::string_view::npos &&
         start.substr(0, 4096).find("\"layers\"") != std::string_view::npos;
}

Result<void> import_file(const std::string& path, const ImportOptions& options, const ImportSink& sink) {
  Result<LineReader> lines = LineReader::open(path, sink.progress);
  if (!lines) {
    return propagate(lines);
  }
  return WarpImport(std::move(*lines), options, sink).run();
}

}  // namespace

Importer warp_importer() {
  return {"warp", "WARP token trace (JSON lines)", recognises, import_file};
}

}  // namespace spillway
