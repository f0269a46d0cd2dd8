#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>

#include "core/json.h"
#include "core/parse_json.h"
#include "traces/import/columns.h"
#include "traces/import/header.h"
#include "traces/import/rows.h"

// Imports what people write with a few lines of their own: a CSV with the columns `token`, `layer` and
// `expert` (a row for each choice) or `experts` (a row for each layer, the numbers with blanks or semicolons
// between them), or lines of JSON {"token": …, "layer": …, "experts": […]}. Optional are `weight` or
// `weights`, and `phase` (`prefill` or `decode`). Decoded tokens come one after the other, each layer by
// layer; those of the prefill in any order.
namespace spillway::importer {
namespace {

enum Field : size_t { kToken, kLayer, kExpert, kExperts, kWeight, kWeights, kPhase, kCount, kFields };

// The names that a field goes by, the usual one first.
constexpr std::array<std::array<std::string_view, 4>, kFields> kNames = {{
    {"token", "token_idx", "position", "pos"},
    {"layer", "layer_id", "layer_idx", ""},
    {"expert", "expert_id", "expert_idx", ""},
    {"experts", "expert_ids", "topk_ids", "selected_experts"},
    {"weight", "", "", ""},
    {"weights", "topk_weights", "", ""},
    {"phase", "", "", ""},
    {"count", "", "", ""},
}};

struct Row {
  uint64_t token = 0;
  uint32_t layer = 0;
  bool prefill = false;
  std::vector<uint32_t> experts;
  std::vector<float> weights;
};

// Reads the rows of either shape. Errors say what is wrong, without path and line.
class Table {
 public:
  // Takes the first line. Returns true if it is a row already.
  Result<bool> begin(std::string_view line);
  Result<void> read(std::string_view line, Row& row);
  bool has_weights() const { return has_weights_; }

 private:
  Result<void> read_json(std::string_view line, Row& row) const;
  template <class T>
  static Result<void> read_list(std::string_view text, std::vector<T>& list);

  std::optional<Columns> columns_;                   // a CSV
  std::array<std::optional<size_t>, kFields> at_{};  // numbers of the columns
  bool has_weights_ = false;
};

Result<bool> Table::begin(std::string_view line) {
  if (line.starts_with('{')) {
    Row row;
    if (Result<void> first = read_json(line, row); !first) {
      return propagate(first);
    }
    has_weights_ = !row.weights.empty();
    return true;
  }
  std::vector<std::string_view> known;
  std::vector<size_t> fields;
  for (size_t field = 0; field < kFields; ++field) {
    for (const std::string_view name : kNames[field]) {
      if (!name.empty()) {
        known.push_back(name);
        fields.push_back(field);
      }
    }
  }
  Result<Columns> columns = Columns::of(line, {}, known);
  if (!columns) {
    return propagate(columns);
  }
  for (size_t i = known.size(); i-- > 0;) {
    if (columns->has(i)) {
      at_[fields[i]] = i;
    }
  }
  if (at_[kCount] && !at_[kToken]) {
    return failed(
        "has a column 'count': these are totals for each expert, in which the order of the choices is "
        "lost; a trace has a row for each token and layer");
  }
  if (!at_[kToken] || !at_[kLayer] || (!at_[kExpert] && !at_[kExperts])) {
    return failed("needs columns 'token', 'layer' and 'expert' (or 'experts'); the columns are '{}'",
                  line.substr(0, 200));
  }
  has_weights_ = at_[kExperts] ? at_[kWeights].has_value() : at_[kWeight].has_value();
  columns_ = std::move(*columns);
  return false;
}

template <class T>
Result<void> Table::read_list(std::string_view text, std::vector<T>& list) {
  for (const char* at = text.data(); at < text.data() + text.size();) {
    if (*at == ' ' || *at == ';' || *at == '[' || *at == ']' || *at == ',') {
      ++at;
      continue;
    }
    T value{};
    const auto [end, problem] = std::from_chars(at, text.data() + text.size(), value);
    if (problem != std::errc{}) {
      return failed("'{}' is not a list of numbers", text.substr(0, 80));
    }
    list.push_back(value);
    at = end;
  }
  return {};
}

Result<void> Table::read(std::string_view line, Row& row) {
  row = Row();
  if (!columns_) {
    return read_json(line, row);
  }
  const auto number = [this](Field field, auto& value) {
    return !at_[field] || columns_->number(*at_[field], value);
  };
  if (!columns_->cut(line) || !number(kToken, row.token) || !number(kLayer, row.layer)) {
    return failed("'{}' is not a row of {}", line.substr(0, 80), columns_->names());
  }
  row.prefill = at_[kPhase] && columns_->cell(*at_[kPhase]) == "prefill";
  if (!at_[kExperts]) {
    float weight = 0;
    if (!number(kExpert, row.experts.emplace_back()) || !number(kWeight, weight)) {
      return failed("'{}' is not a row of {}", line.substr(0, 80), columns_->names());
    }
    if (has_weights_) {
      row.weights.push_back(weight);
    }
    return {};
  }
  if (Result<void> list = read_list(columns_->cell(*at_[kExperts]), row.experts); !list) {
    return list;
  }
  return has_weights_ ? read_list(columns_->cell(*at_[kWeights]), row.weights) : Result<void>();
}

Result<void> Table::read_json(std::string_view line, Row& row) const {
  Result<Json> parsed = parse_json(line, {.most_bytes = line.size()});
  if (!parsed) {
    return propagate(parsed);
  }
  const auto find = [&](Field field) -> const Json* {
    for (const std::string_view name : kNames[field]) {
      if (!name.empty() && parsed->is_object() && parsed->contains(name)) {
        return &(*parsed)[std::string(name)];
      }
    }
    return nullptr;
  };
  const Json* token = find(kToken);
  const Json* layer = find(kLayer);
  const Json* experts = find(kExperts);
  const auto is_list = [](const Json* list, bool (*fits)(const Json&)) {
    return list != nullptr && list->is_array() && std::all_of(list->begin(), list->end(), fits);
  };
  const auto fits_32_bits = [](const Json& value) {
    return value.is_number_unsigned() && value.get<uint64_t>() <= UINT32_MAX;
  };
  if (token == nullptr || !token->is_number_unsigned() || layer == nullptr || !fits_32_bits(*layer) ||
      !is_list(experts, fits_32_bits)) {
    return failed("is not an object with numbers 'token' and 'layer' and a list of numbers 'experts'");
  }
  row.token = token->get<uint64_t>();
  row.layer = layer->get<uint32_t>();
  row.experts = experts->get<std::vector<uint32_t>>();
  if (const Json* weights = find(kWeights); is_list(weights, [](const Json& w) { return w.is_number(); })) {
    row.weights = weights->get<std::vector<float>>();
  }
  const Json* phase = find(kPhase);
  row.prefill = phase != nullptr && phase->is_string() && phase->get<std::string>() == "prefill";
  return {};
}

class TableImport {
 public:
  TableImport(std::string path, const ImportOptions& options, const ImportSink& sink)
      : path_(std::move(path)), options_(options), sink_(sink) {}

  Result<void> run();

 private:
  using Visit = std::function<Result<void>(const RowReader& at, const Row& row)>;
  Result<void> each_row(const std::function<void(uint64_t)>& progress, const Visit& visit);
  Result<void> look();
  Result<void> add(const RowReader& at, const Row& row);
  Result<void> check(const RowReader& at, const Row& row) const;
  Result<void> end_step();
  Result<void> end_prefill();

  const std::string path_;
  const ImportOptions& options_;
  const ImportSink& sink_;
  Table table_;
  TraceHeader header_;
  std::vector<bool> layers_seen_;
  // The choices of a layer by token: a prefill is kept until it ends, a decoded token has one layer at a
  // time.
  std::map<uint32_t, std::map<uint64_t, Row>> prefill_;
  std::optional<Row> step_;
  uint64_t pass_ = 0;
};

Result<void> TableImport::each_row(const std::function<void(uint64_t)>& progress, const Visit& visit) {
  Result<RowReader> rows = RowReader::open(path_, progress);
  if (!rows) {
    return propagate(rows);
  }
  table_ = Table();
  bool begun = false;
  Row row;
  for (std::string_view line;;) {
    Result<bool> more = rows->next(line);
    if (!more || !*more) {
      return more ? Result<void>() : propagate(more);
    }
    if (line.empty() || line.starts_with('#')) {
      continue;
    }
    if (!begun) {
      begun = true;
      Result<bool> is_row = table_.begin(line);
      if (!is_row) {
        return rows->here("{}", is_row.error().message);
      }
      if (!*is_row) {
        continue;
      }
    }
    if (Result<void> read = table_.read(line, row); !read) {
      return rows->here("{}", read.error().message);
    }
    if (Result<void> visited = visit(*rows, row); !visited) {
      return visited;
    }
  }
}

// Finds out how many layers and choices there are, in a first run over the file.
Result<void> TableImport::look() {
  std::optional<std::pair<uint64_t, uint32_t>> first;
  uint32_t choices = 0;
  const auto visit = [&](const RowReader& at, const Row& row) -> Result<void> {
    if (row.layer >= options_.layers.value_or(UINT16_MAX)) {
      return at.here("layer {} is beyond the {} layers of the model", row.layer,
                     options_.layers.value_or(UINT16_MAX));
    }
    layers_seen_.resize(std::max<size_t>(layers_seen_.size(), row.layer + 1));
    layers_seen_[row.layer] = true;
    first = first.value_or(std::pair(row.token, row.layer));
    choices += *first == std::pair(row.token, row.layer) ? uint32_t(row.experts.size()) : 0;
    return {};
  };
  if (Result<void> seen = each_row({}, visit); !seen) {
    return seen;
  }
  if (!first) {
    return failed("{}: has no rows", path_);
  }
  layers_seen_.resize(options_.layers.value_or(uint32_t(layers_seen_.size())));
  ModelGeometry& geometry = header_.geometry;
  geometry.layers = uint32_t(layers_seen_.size());
  geometry.used_top_k = geometry.top_k = options_.used_top_k.value_or(choices);
  if (!options_.experts_per_layer) {
    return wrong_usage("{}: does not say how many experts a layer has; give --experts N or --model PRESET",
                       path_);
  }
  geometry.experts_per_layer = *options_.experts_per_layer;
  ToldBytes told(geometry.layers);
  for (size_t layer = 0; layer < told.size(); ++layer) {
    if (!layers_seen_[layer]) {
      told[layer] = 0;  // nobody chose an expert there, so the layer has none
    }
  }
  return complete_geometry(path_, options_, told, geometry);
}

Result<void> TableImport::check(const RowReader& at, const Row& row) const {
  const ModelGeometry& geometry = header_.geometry;
  for (size_t i = 0; i < row.experts.size(); ++i) {
    if (row.experts[i] >= geometry.experts_per_layer) {
      return at.here("expert {} is not a number below {}", row.experts[i], geometry.experts_per_layer);
    }
    if (std::find(row.experts.begin(), row.experts.begin() + ptrdiff_t(i), row.experts[i]) !=
        row.experts.begin() + ptrdiff_t(i)) {
      return at.here("token {}, layer {}: expert {} is chosen twice", row.token, row.layer, row.experts[i]);
    }
  }
  for (const float weight : row.weights) {
    if (!std::isfinite(weight)) {
      return at.here("token {}, layer {}: weight {} is no finite number; leave the weights out", row.token,
                     row.layer, weight);
    }
  }
  if (row.experts.size() > geometry.used_top_k) {
    return at.here("token {}, layer {} has {} experts; others have {}", row.token, row.layer,
                   row.experts.size(), geometry.used_top_k);
  }
  if (table_.has_weights() && row.weights.size() != row.experts.size()) {
    return at.here("token {}, layer {} has {} weights for {} experts", row.token, row.layer,
                   row.weights.size(), row.experts.size());
  }
  return {};
}

void append_to(Row& row, const Row& more) {
  row.experts.insert(row.experts.end(), more.experts.begin(), more.experts.end());
  row.weights.insert(row.weights.end(), more.weights.begin(), more.weights.end());
}

Result<void> TableImport::add(const RowReader& at, const Row& row) {
  if (row.prefill) {
    if (step_ || pass_ > 0) {
      return at.here("a prefill after decoded tokens; a table holds one sequence");
    }
    Row& kept =
        prefill_[row.layer].try_emplace(row.token, Row{row.token, row.layer, true, {}, {}}).first->second;
    append_to(kept, row);
    return check(at, kept);
  }
  if (Result<void> ended = end_prefill(); !ended) {
    return ended;
  }
  if (step_ && step_->token == row.token && step_->layer == row.layer) {
    append_to(*step_, row);
    return check(at, *step_);
  }
  const bool same_token = step_ && step_->token == row.token;
  if (step_ && (same_token ? row.layer < step_->layer : row.token < step_->token)) {
    return at.here(
        "out of order: token {} layer {} after token {} layer {}; sort the rows by token, then by layer",
        row.token, row.layer, step_->token, step_->layer);
  }
  if (Result<void> ended = end_step(); !ended) {
    return at.here("{}", ended.error().message);
  }
  pass_ += step_ && !same_token ? 1 : 0;
  step_ = row;
  return check(at, row);
}

Step step_of(const Row& row) {
  Step step;
  step.layer = row.layer;
  step.choices.assign(row.experts.begin(), row.experts.end());
  step.weights = row.weights;
  return step;
}

Result<void> TableImport::end_step() {
  if (!step_) {
    return {};
  }
  if (step_->experts.size() != header_.geometry.used_top_k) {
    return failed("token {}, layer {} has {} experts; others have {}", step_->token, step_->layer,
                  step_->experts.size(), header_.geometry.used_top_k);
  }
  Step step = step_of(*step_);
  step.pass = pass_;
  step.tokens = 1;
  return sink_.append(step);
}

Result<void> TableImport::end_prefill() {
  for (const auto& [layer, tokens] : prefill_) {
    Step step;
    step.layer = layer;
    step.phase = Phase::prefill;
    step.tokens = uint32_t(tokens.size());
    for (const auto& [token, row] : tokens) {
      if (row.experts.size() != header_.geometry.used_top_k) {
        return failed("{}: token {}, layer {} has {} experts; others have {}", path_, token, layer,
                      row.experts.size(), header_.geometry.used_top_k);
      }
      step.choices.insert(step.choices.end(), row.experts.begin(), row.experts.end());
      step.weights.insert(step.weights.end(), row.weights.begin(), row.weights.end());
    }
    if (Result<void> appended = sink_.append(step); !appended) {
      return appended;
    }
  }
  pass_ = prefill_.empty() ? pass_ : 1;
  prefill_.clear();
  return {};
}

Result<void> TableImport::run() {
  if (Result<void> looked = look(); !looked) {
    return looked;
  }
  header_.model = options_.model;
  header_.columns.weights = table_.has_weights();
  note_source("table of token, layer and experts", path_, header_);
  if (Result<void> begun = sink_.begin(header_); !begun) {
    return begun;
  }
  const auto visit = [this](const RowReader& at, const Row& row) { return add(at, row); };
  if (Result<void> read = each_row(sink_.progress, visit); !read) {
    return read;
  }
  if (Result<void> ended = end_step(); !ended) {
    return failed("{}: {}", path_, ended.error().message);
  }
  return end_prefill();
}

bool recognises(std::string_view start, PlainInput&) {
  std::string_view line = start.substr(0, start.find('\n'));
  while (line.starts_with('#') && line.size() < start.size()) {
    start.remove_prefix(line.size() + 1);
    line = start.substr(0, start.find('\n'));
  }
  Table table;
  if (table.begin(line.ends_with('\r') ? line.substr(0, line.size() - 1) : line)) {
    return true;
  }
  // Totals are told what they are rather than not known at all.
  return line.starts_with("layer_id,expert_id,count");
}

Result<void> import_file(const std::string& path, const ImportOptions& options, const ImportSink& sink) {
  return TableImport(path, options, sink).run();
}

}  // namespace

Importer table() {
  return {"table",
          "CSV with columns token,layer,expert, or JSON lines {token, layer, experts} (needs --experts)",
          recognises, import_file};
}

}  // namespace spillway::importer
