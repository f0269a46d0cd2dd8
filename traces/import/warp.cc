#include <algorithm>

#include "core/json.h"
#include "core/parse_json.h"
#include "traces/import/header.h"
#include "traces/import/rows.h"

// Imports WARP traces: one JSON object per decoded token, {"tok": 1, "layers": [[experts of layer 0], …]}.
// Experts come in ascending order, so the router's order of preference is not known.
namespace spillway::importer {
namespace {

class WarpImport final : public RowImport {
  using RowImport::RowImport;
  Result<void> add(std::string_view line) override;
  Result<void> end() override;

  Result<void> take_shape(const Json& layers);

  bool begun_ = false;
  uint64_t last_token_ = 0;
};

Result<void> WarpImport::take_shape(const Json& layers) {
  ModelGeometry& geometry = header_.geometry;
  geometry.layers = uint32_t(layers.size());
  geometry.used_top_k = layers.empty() ? 0 : uint32_t(layers.front().size());
  if (!options_.experts_per_layer) {
    return wrong_usage("{}: does not say how many experts a layer has; give --experts N or --model PRESET",
                       rows_.path());
  }
  geometry.experts_per_layer = *options_.experts_per_layer;
  geometry.top_k = geometry.used_top_k;
  const ToldBytes silent(geometry.layers);
  if (Result<void> complete = complete_geometry(rows_.path(), options_, silent, geometry); !complete) {
    return complete;
  }
  header_.model = options_.model;
  note_source("WARP JSONL", rows_.path(), header_);
  begun_ = true;
  return sink_.begin(header_);
}

Result<void> WarpImport::add(std::string_view line) {
  const Result<Json> parsed = parse_json(line, {.most_bytes = line.size()});
  if (!parsed) {
    return rows_.here("{}", parsed.error().message);
  }
  const Json& token = *parsed;
  const auto layers = token.is_object() ? token.find("layers") : token.end();
  const auto number = token.is_object() ? token.find("tok") : token.end();
  if (!token.is_object() || layers == token.end() || !layers->is_array() || number == token.end() ||
      !number->is_number_unsigned() ||
      !std::all_of(layers->begin(), layers->end(), [](const Json& layer) { return layer.is_array(); })) {
    return rows_.here("is not an object with a number 'tok' and a list of lists 'layers'");
  }
  if (!begun_) {
    if (Result<void> begun = take_shape(*layers); !begun) {
      return begun;
    }
  } else if (number->get<uint64_t>() <= last_token_) {
    return rows_.here("out of order: token {} after token {}", number->get<uint64_t>(), last_token_);
  } else {
    ++step_.pass;
  }
  last_token_ = number->get<uint64_t>();
  const ModelGeometry& geometry = header_.geometry;
  if (layers->size() != geometry.layers) {
    return rows_.here("has {} layers; the previous lines have {}", layers->size(), geometry.layers);
  }
  for (uint32_t layer = 0; layer < geometry.layers; ++layer) {
    step_.layer = layer;
    step_.choices.clear();
    for (const Json& expert : (*layers)[layer]) {
      if (!expert.is_number_unsigned() || expert.get<uint64_t>() >= geometry.experts_per_layer) {
        return rows_.here("layer {}: expert {} is not a number below {}", layer, expert.dump().substr(0, 40),
                          geometry.experts_per_layer);
      }
      const auto choice = expert.get<uint16_t>();
      if (std::find(step_.choices.begin(), step_.choices.end(), choice) != step_.choices.end()) {
        return rows_.here("layer {}: expert {} is chosen twice by one token", layer, choice);
      }
      step_.choices.push_back(choice);
    }
    if (step_.choices.size() != geometry.used_top_k) {
      return rows_.here("layer {} has {} experts; other layers have {}", layer, step_.choices.size(),
                        geometry.used_top_k);
    }
    if (Result<void> appended = sink_.append(step_); !appended) {
      return appended;
    }
  }
  return {};
}

Result<void> WarpImport::end() {
  return begun_ ? Result<void>{} : failed("{}: has no tokens", rows_.path());
}

bool recognises(std::string_view start, PlainInput&) {
  return start.starts_with('{') && start.substr(0, 4096).find("\"tok\"") != std::string_view::npos &&
         start.substr(0, 4096).find("\"layers\"") != std::string_view::npos;
}

}  // namespace

Importer warp() {
  return {"warp", "WARP token trace (JSON lines)", recognises, import_rows<WarpImport>};
}

}  // namespace spillway::importer
