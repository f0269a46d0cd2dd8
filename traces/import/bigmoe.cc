#include <algorithm>
#include <cmath>
#include <optional>

#include "traces/import/columns.h"
#include "traces/import/header.h"
#include "traces/import/rows.h"

// Imports BigMoeOnEdge route traces, version 1: `#` lines with the geometry, a line of column names, then one
// row per (turn, phase, token, layer, slot). The version allows for further columns. A pass comes as all its
// tokens of layer 0, then of layer 1 and so on; in a prefill the last layer often has the last token alone. A
// decode pass has one token, or with drafts several; the position of a draft that was rejected comes again in
// the next pass.
namespace spillway::importer {
namespace {

constexpr std::string_view kFirstLine = "# route_trace v1";
constexpr std::string_view kKeys[] = {"model",         "arch",  "n_layer",      "n_expert",
                                      "n_expert_used", "layer", "expert_bytes", "dense_bytes"};

enum Column : size_t { kTurn, kPhase, kToken, kLayer, kSlot, kExpert, kWeight, kDropped };
const std::vector<std::string_view> kColumns = {"turn", "phase",  "step",   "layer",
                                                "slot", "expert", "weight", "dropped"};
const std::vector<std::string_view> kNeeded = {"phase", "step", "layer", "expert"};

struct Row {
  uint32_t turn = 0;
  uint32_t phase = 0;  // 0: prefill, 1: decode
  uint64_t token = 0;
  uint32_t layer = 0;
  uint32_t slot = 0;
  uint32_t expert = 0;
  std::optional<float> weight;  // none where the cell is empty
};

class BigMoeImport final : public RowImport {
  using RowImport::RowImport;
  Result<void> begin() override;
  Result<void> add(std::string_view line) override;
  Result<void> end() override;

  Result<void> read_header();
  Result<void> read_header_line(std::string_view line);
  Result<void> look_ahead();
  Result<Row> parse(std::string_view line);
  bool is_next_token(const Row& row) const;
  bool is_next_layer(const Row& row) const;
  bool begins_pass(const Row& row) const;
  Result<void> start_token(const Row& row);
  Result<void> end_step();

  std::optional<Columns> columns_;
  ToldBytes expert_bytes_;
  uint32_t layers_with_experts_ = 0;
  Row last_;
  uint64_t first_of_pass_ = 0;  // the pass's first token
  bool in_step_ = false;
  std::vector<bool> chosen_;  // per expert: chosen by the current token
};

// Returns the text behind `key=`, up to the next key or the end; nothing if the line has no such key. The
// writer quotes nothing, so that the path of a model may have blanks in it.
std::optional<std::string_view> value_of(std::string_view line, std::string_view key) {
  for (size_t at = line.find(key); at != std::string_view::npos; at = line.find(key, at + 1)) {
    const bool whole_key = (at == 0 || line[at - 1] == ' ') && line.substr(at + key.size()).starts_with('=');
    if (whole_key) {
      const std::string_view rest = line.substr(at + key.size() + 1);
      size_t end = rest.size();
      for (const std::string_view next : kKeys) {
        end = std::min(end, rest.rfind(fmt::format(" {}=", next)));
      }
      return rest.substr(0, end);
    }
  }
  return std::nullopt;
}

template <class T>
bool read_value(std::string_view line, std::string_view key, T& value) {
  std::optional<std::string_view> text = value_of(line, key);
  return text && take_field(*text, value);
}

Result<void> BigMoeImport::read_header_line(std::string_view line) {
  ModelGeometry& geometry = header_.geometry;
  if (const auto model = value_of(line, "model")) {
    header_.model = file_name(*model);
    header_.provenance.emplace_back("recorded_model", std::string(*model));
    if (!read_value(line, "n_layer", geometry.layers) ||
        !read_value(line, "n_expert", geometry.experts_per_layer) ||
        !read_value(line, "n_expert_used", geometry.used_top_k)) {
      return rows_.here("the model line lacks n_layer, n_expert or n_expert_used");
    }
    // Every layer has a line of its own, so a wrong count must not make this program allocate memory for it.
    if (geometry.layers > UINT16_MAX) {
      return rows_.here("n_layer is {}, more than any model has", geometry.layers);
    }
    expert_bytes_.assign(geometry.layers, std::nullopt);
  } else if (value_of(line, "layer")) {
    uint32_t layer = 0;
    uint64_t bytes = 0;
    if (!read_value(line, "layer", layer) || !read_value(line, "expert_bytes", bytes) ||
        layer >= expert_bytes_.size()) {
      return rows_.here(
          "a layer line needs layer=N (below n_layer, after the model line) and expert_bytes=N");
    }
    expert_bytes_[layer] = bytes;
  }
  return {};
}

Result<void> BigMoeImport::read_header() {
  std::string_view line;
  for (;;) {
    Result<bool> more = rows_.next(line);
    if (!more) {
      return propagate(more);
    }
    if (!*more) {
      return failed("{}: ends before the line of column names", rows_.path());
    }
    if (rows_.number() == 1 && line != kFirstLine) {
      return rows_.here("is not a BigMoeOnEdge trace of version 1: the first line is not '{}'", kFirstLine);
    }
    if (!line.starts_with('#')) {
      Result<Columns> columns = Columns::of(line, kNeeded, kColumns);
      if (!columns) {
        return rows_.here("is neither a '#' line nor the line of column names: it {}",
                          columns.error().message);
      }
      columns_ = std::move(*columns);
      return {};
    }
    if (Result<void> read = read_header_line(line); !read) {
      return read;
    }
  }
}

Result<void> BigMoeImport::begin() {
  if (Result<void> read = read_header(); !read) {
    return read;
  }
  ModelGeometry& geometry = header_.geometry;
  if (geometry.layers == 0) {
    return failed("{}: has no '# model=… n_layer=… n_expert=… n_expert_used=…' line", rows_.path());
  }
  geometry.top_k = geometry.used_top_k;  // the format does not give the model's own top-k
  if (Result<void> complete = complete_geometry(rows_.path(), options_, expert_bytes_, geometry); !complete) {
    return complete;
  }
  if (!options_.model.empty()) {
    header_.model = options_.model;
  }
  layers_with_experts_ = uint32_t(std::count_if(geometry.expert_bytes.begin(), geometry.expert_bytes.end(),
                                                [](uint64_t bytes) { return bytes > 0; }));
  note_source("BigMoeOnEdge route trace v1", rows_.path(), header_);
  header_.columns.weights = columns_->has(kWeight);
  chosen_.resize(geometry.experts_per_layer);
  if (columns_->has(kDropped) || columns_->has(kWeight)) {
    if (Result<void> looked = look_ahead(); !looked) {
      return looked;
    }
  }
  return sink_.begin(header_);
}

// Counts the choices that the engine dropped (it read no bytes for them and gave them no weight) and those
// whose weight it does not tell: `nan`. The header is written before the rows, so they are looked at twice.
Result<void> BigMoeImport::look_ahead() {
  Result<RowReader> again = RowReader::open(rows_.path());
  if (!again) {
    return propagate(again);
  }
  uint64_t dropped = 0;
  uint64_t weightless = 0;
  for (std::string_view line;;) {
    Result<bool> more = again->next(line);
    if (!more) {
      return propagate(more);
    }
    if (!*more) {
      break;
    }
    if (line.empty() || line.starts_with('#') || !columns_->cut(line)) {
      continue;
    }
    dropped += columns_->cell(kDropped) == "1" ? 1 : 0;
    std::optional<float> weight;
    // The first line here is that of the names, which are no numbers; add() tells of a row that has none.
    weightless += columns_->number(kWeight, weight) && !std::isfinite(weight.value_or(NAN)) ? 1 : 0;
  }
  if (header_.columns.weights && weightless > 0) {
    header_.columns.weights = false;
    if (sink_.note) {
      sink_.note(fmt::format("{} choices have no weight (nan); the trace has no weights", weightless));
    }
  }
  if (!columns_->has(kDropped)) {
    return {};
  }
  header_.provenance.emplace_back("dropped_choices", fmt::format("{}", dropped));
  if (dropped > 0 && sink_.note) {
    sink_.note(fmt::format(
        "the engine dropped {} of the choices: it neither read these experts nor gave them weight; the "
        "trace keeps them as the router's choice",
        dropped));
  }
  return {};
}

Result<Row> BigMoeImport::parse(std::string_view line) {
  Row row;
  if (!columns_->cut(line) || !columns_->number(kTurn, row.turn) || !columns_->number(kPhase, row.phase) ||
      !columns_->number(kToken, row.token) || !columns_->number(kLayer, row.layer) ||
      !columns_->number(kSlot, row.slot) || !columns_->number(kExpert, row.expert) ||
      !columns_->number(kWeight, row.weight)) {
    return rows_.here("'{}' is not a row of {}", line.substr(0, 80), columns_->names());
  }
  if (!columns_->has(kSlot)) {
    const bool same_token = in_step_ && row.turn == last_.turn && row.phase == last_.phase &&
                            row.token == last_.token && row.layer == last_.layer;
    row.slot = same_token ? last_.slot + 1 : 0;
  }
  const ModelGeometry& geometry = header_.geometry;
  if (row.phase > 1) {
    return rows_.here("phase {} is neither 0 (prefill) nor 1 (decode)", row.phase);
  }
  if (row.layer >= geometry.layers || row.expert >= geometry.experts_per_layer ||
      row.slot >= geometry.used_top_k) {
    return rows_.here("layer {}, slot {}, expert {} is outside the model's {} layers × {} experts, top-{}",
                      row.layer, row.slot, row.expert, geometry.layers, geometry.experts_per_layer,
                      geometry.used_top_k);
  }
  return row;
}

Result<void> BigMoeImport::add(std::string_view line) {
  Result<Row> parsed = parse(line);
  if (!parsed) {
    return propagate(parsed);
  }
  const Row& row = *parsed;
  const bool next_slot = in_step_ && row.slot == last_.slot + 1 && row.turn == last_.turn &&
                         row.phase == last_.phase && row.token == last_.token && row.layer == last_.layer;
  if (!next_slot) {
    if (Result<void> started = start_token(row); !started) {
      return started;
    }
  }
  if (chosen_[row.expert]) {
    return rows_.here("expert {} is chosen twice by one token", row.expert);
  }
  chosen_[row.expert] = true;
  step_.choices.push_back(uint16_t(row.expert));
  if (header_.columns.weights) {
    step_.weights.push_back(row.weight.value_or(NAN));
  }
  last_ = row;
  return {};
}

// A pass of several tokens has a layer for all of them before the next. A model with one layer of experts
// does not show where a pass ends; its decode passes are taken to have one token.
bool BigMoeImport::is_next_token(const Row& row) const {
  return row.turn == last_.turn && row.phase == last_.phase && row.layer == last_.layer &&
         row.token > last_.token && (row.phase == 0 || layers_with_experts_ > 1);
}

bool BigMoeImport::is_next_layer(const Row& row) const {
  return row.turn == last_.turn && row.phase == last_.phase && row.layer > last_.layer &&
         (row.phase == 0 || row.token == first_of_pass_);
}

// A later pass begins at a later token, though a rejected draft's position comes again.
bool BigMoeImport::begins_pass(const Row& row) const {
  return row.turn > last_.turn ||
         (row.turn == last_.turn && (row.phase > last_.phase || row.token > first_of_pass_));
}

// Takes the first row of a token in a layer. It begins the next token of the pass, the next layer, or the
// next pass.
Result<void> BigMoeImport::start_token(const Row& row) {
  if (in_step_ && last_.slot + 1 != header_.geometry.used_top_k) {
    return rows_.here("the previous token ended after {} of {} slots", last_.slot + 1,
                      header_.geometry.used_top_k);
  }
  if (row.slot != 0) {
    return rows_.here("a token must start at slot 0, but starts at slot {}", row.slot);
  }
  std::fill(chosen_.begin(), chosen_.end(), false);
  if (in_step_ && is_next_token(row)) {
    ++step_.tokens;
    return {};
  }
  const bool next_layer = in_step_ && is_next_layer(row);
  if (in_step_ && !next_layer && !begins_pass(row)) {
    return rows_.here(
        "out of order: turn {} phase {} step {} layer {} after turn {} phase {} step {} layer {}", row.turn,
        row.phase, row.token, row.layer, last_.turn, last_.phase, last_.token, last_.layer);
  }
  if (Result<void> ended = end_step(); !ended) {
    return ended;
  }
  if (!next_layer) {
    step_.pass += in_step_ ? 1 : 0;
    first_of_pass_ = row.token;
  }
  step_.layer = row.layer;
  step_.sequence = row.turn;
  step_.phase = row.phase == 0 ? Phase::prefill : Phase::decode;
  step_.tokens = 1;
  in_step_ = true;
  return {};
}

Result<void> BigMoeImport::end_step() {
  if (!in_step_) {
    return {};
  }
  Result<void> appended = sink_.append(step_);
  step_.choices.clear();
  step_.weights.clear();
  return appended;
}

Result<void> BigMoeImport::end() {
  if (!in_step_) {
    return failed("{}: has no rows below the column names", rows_.path());
  }
  if (last_.slot + 1 != header_.geometry.used_top_k) {
    return rows_.here("the file was cut off: its last token ends after {} of {} slots", last_.slot + 1,
                      header_.geometry.used_top_k);
  }
  return end_step();
}

bool recognises(std::string_view start, PlainInput&) {
  return start.starts_with("# route_trace v");
}

}  // namespace

Importer bigmoe() {
  return {"bigmoe", "BigMoeOnEdge route trace (CSV, version 1)", recognises, import_rows<BigMoeImport>};
}

}  // namespace spillway::importer
