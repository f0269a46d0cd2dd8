#include <optional>

#include "traces/export/export.h"
#include "traces/import/columns.h"
#include "traces/import/header.h"
#include "traces/import/rows.h"

// Imports Spillway's own CSV (export.h), so that a trace can be edited as text and come back complete.
namespace spillway::importer {
namespace {

struct Row {
  uint64_t pass = 0;
  std::string_view phase;
  uint32_t sequence = 0;
  uint32_t layer = 0;
  uint32_t tokens = 0;
  std::optional<uint32_t> token;
  uint32_t expert = 0;
  std::optional<float> weight;
  std::optional<int32_t> token_id;
  std::optional<int64_t> attention_ns;
  std::optional<int64_t> experts_ns;
  std::string_view lookahead;
};

enum Column : size_t {
  kPass,
  kPhase,
  kSequence,
  kLayer,
  kTokens,
  kToken,
  kExpert,
  kWeight,
  kTokenId,
  kAttention,
  kExperts,
  kLookahead
};
const std::vector<std::string_view> kColumns = {"pass",     "phase",        "sequence",   "layer",
                                                "tokens",   "token",        "expert",     "weight",
                                                "token_id", "attention_ns", "experts_ns", "lookahead"};
const std::vector<std::string_view> kNeeded = {"pass", "phase", "layer", "tokens", "token", "expert"};

class CsvImport final : public RowImport {
  using RowImport::RowImport;
  Result<void> begin() override;
  Result<void> add(std::string_view line) override;
  Result<void> end() override;

  Result<Row> parse(std::string_view line);
  Result<void> start_step(const Row& row);
  Result<void> add_choice(const Row& row);

  std::optional<Columns> columns_;
  size_t rows_left_ = 0;  // missing rows of the step, if the step has tokens
  bool in_step_ = false;
};

Result<void> CsvImport::begin() {
  std::string_view line;
  Result<bool> more = rows_.next(line);
  if (!more) {
    return propagate(more);
  }
  if (!*more || !line.starts_with(kCsvFirstWord)) {
    return rows_.here("the first line does not begin with '{}'", kCsvFirstWord);
  }
  Result<TraceHeader> header = header_from_json(line.substr(kCsvFirstWord.size()));
  if (!header) {
    return rows_.here("{}", header.error().message);
  }
  header_ = std::move(*header);
  const std::vector<uint64_t>& bytes = header_.geometry.expert_bytes;
  const ToldBytes told(bytes.begin(), bytes.end());
  if (Result<void> complete = complete_geometry(rows_.path(), options_, told, header_.geometry); !complete) {
    return complete;
  }
  more = rows_.next(line);
  if (!more) {
    return propagate(more);
  }
  if (!*more) {
    return failed("{}: ends before the line of column names", rows_.path());
  }
  Result<Columns> columns = Columns::of(line, kNeeded, kColumns);
  if (!columns) {
    return rows_.here("{}", columns.error().message);
  }
  columns_ = std::move(*columns);
  TraceColumns& said = header_.columns;
  said.weights = said.weights && columns_->has(kWeight);
  said.times = said.times && (columns_->has(kAttention) || columns_->has(kExperts));
  said.lookahead = said.lookahead && columns_->has(kLookahead);
  said.token_ids = said.token_ids && columns_->has(kTokenId);
  return sink_.begin(header_);
}

Result<Row> CsvImport::parse(std::string_view line) {
  Row row;
  const bool good =
      columns_->cut(line) && columns_->number(kPass, row.pass) && columns_->number(kSequence, row.sequence) &&
      columns_->number(kLayer, row.layer) && columns_->number(kTokens, row.tokens) &&
      columns_->number(kToken, row.token) && columns_->number(kExpert, row.expert) &&
      columns_->number(kWeight, row.weight) && columns_->number(kTokenId, row.token_id) &&
      columns_->number(kAttention, row.attention_ns) && columns_->number(kExperts, row.experts_ns);
  row.phase = columns_->cell(kPhase);
  row.lookahead = columns_->cell(kLookahead);
  if (!good || (row.phase != "prefill" && row.phase != "decode")) {
    return rows_.here("'{}' is not a row of {}", line.substr(0, 80), columns_->names());
  }
  const ModelGeometry& geometry = header_.geometry;
  if (row.layer >= geometry.layers || row.expert >= geometry.experts_per_layer || row.tokens == 0) {
    return rows_.here("layer {}, expert {}, {} tokens is outside the model's {} layers × {} experts",
                      row.layer, row.expert, row.tokens, geometry.layers, geometry.experts_per_layer);
  }
  return row;
}

Result<void> CsvImport::start_step(const Row& row) {
  if (Result<void> ended = end(); !ended) {
    return ended;
  }
  const ModelGeometry& geometry = header_.geometry;
  step_ = Step{};
  step_.pass = row.pass;
  step_.layer = row.layer;
  step_.sequence = row.sequence;
  step_.tokens = row.tokens;
  step_.phase = row.phase == "prefill" ? Phase::prefill : Phase::decode;
  rows_left_ = row.token ? size_t(row.tokens) * geometry.used_top_k : 0;
  in_step_ = true;
  if (row.attention_ns) {
    step_.attention_time = Nanoseconds(*row.attention_ns);
  }
  if (row.experts_ns) {
    step_.experts_time = Nanoseconds(*row.experts_ns);
  }
  for (std::string_view rest = row.lookahead; !rest.empty();) {
    const std::string_view one = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    const size_t slash = one.find('/');
    std::string_view layer_text = one.substr(0, slash);
    std::string_view expert_text = slash == std::string_view::npos ? "" : one.substr(slash + 1);
    uint32_t layer = 0;
    uint32_t expert = 0;
    if (!take_field(layer_text, layer) || !take_field(expert_text, expert) || layer >= geometry.layers ||
        expert >= geometry.experts_per_layer) {
      return rows_.here("look-ahead '{}' is not LAYER/EXPERT of this model", one);
    }
    step_.lookahead.push_back(geometry.id(layer, expert));
  }
  return {};
}

Result<void> CsvImport::add(std::string_view line) {
  Result<Row> parsed = parse(line);
  if (!parsed) {
    return propagate(parsed);
  }
  const Row& row = *parsed;
  const bool listed = in_step_ && step_.choices.empty();
  const bool same_step = in_step_ && row.pass == step_.pass && row.layer == step_.layer &&
                         (listed ? !row.token : rows_left_ > 0);
  if (!same_step) {
    if (Result<void> started = start_step(row); !started) {
      return started;
    }
  }
  if (!row.token) {
    step_.experts.push_back(header_.geometry.id(row.layer, row.expert));
    return {};
  }
  return add_choice(row);
}

Result<void> CsvImport::add_choice(const Row& row) {
  const size_t token = step_.choices.size() / header_.geometry.used_top_k;
  if (*row.token != token || row.tokens != step_.tokens) {
    return rows_.here("has token {} of {}; token {} of {} comes next", *row.token, row.tokens, token,
                      step_.tokens);
  }
  const bool first_choice = step_.choices.size() % header_.geometry.used_top_k == 0;
  step_.choices.push_back(uint16_t(row.expert));
  --rows_left_;
  if (row.weight) {
    step_.weights.push_back(*row.weight);
  }
  if (row.token_id && first_choice) {
    step_.token_ids.push_back(*row.token_id);
  }
  return {};
}

Result<void> CsvImport::end() {
  if (!in_step_) {
    return {};
  }
  if (rows_left_ != 0) {
    return rows_.here("the step of pass {}, layer {} has {} choices too few", step_.pass, step_.layer,
                      rows_left_);
  }
  if (Result<void> appended = sink_.append(step_); !appended) {
    return rows_.here("{}", appended.error().message);
  }
  return {};
}

bool recognises(std::string_view start, PlainInput&) {
  return start.starts_with(kCsvFirstWord);
}

}  // namespace

Importer csv() {
  return {"csv", "CSV written by `spillway trace export --to csv`", recognises, import_rows<CsvImport>};
}

}  // namespace spillway::importer
