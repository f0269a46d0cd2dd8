#include <algorithm>
#include <optional>

#include "traces/import/header.h"
#include "traces/import/rows.h"

// Imports BigMoeOnEdge route traces, version 1: `#` lines with the geometry, a line of column names, then one
// row per (turn, phase, token, layer, slot). The rows of a decode token come layer by layer. A prefill batch
// comes as all tokens of layer 0, then of layer 1 and so on; the last layer often has the last token alone.
namespace spillway::importer {
namespace {

constexpr std::string_view kFirstLine = "# route_trace v1";
constexpr std::string_view kColumns = "turn,phase,step,layer,slot,expert,weight,residency,expert_bytes";

struct Row {
  uint32_t turn = 0;
  uint32_t phase = 0;
  uint64_t token = 0;
  uint32_t layer = 0;
  uint32_t slot = 0;
  uint32_t expert = 0;
  float weight = 0;
};

class BigMoeImport final : public RowImport {
  using RowImport::RowImport;
  Result<void> begin() override;
  Result<void> add(std::string_view line) override;
  Result<void> end() override;

  Result<void> read_header();
  Result<void> read_header_line(std::string_view line);
  Result<Row> parse(std::string_view line) const;
  Result<void> start_token(const Row& row);
  Result<void> end_step();

  ToldBytes expert_bytes_;
  Row last_;
  bool in_step_ = false;
  std::vector<bool> chosen_;  // per expert: chosen by the current token
};

// Returns the text behind `key=`, up to a space; nothing if the line has no such key.
std::optional<std::string_view> value_of(std::string_view line, std::string_view key) {
  for (size_t at = line.find(key); at != std::string_view::npos; at = line.find(key, at + 1)) {
    const bool whole_key = (at == 0 || line[at - 1] == ' ') && line.substr(at + key.size()).starts_with('=');
    if (whole_key) {
      const std::string_view rest = line.substr(at + key.size() + 1);
      return rest.substr(0, rest.find(' '));
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
    if (line == kColumns) {
      return {};
    }
    if (!line.starts_with('#')) {
      return rows_.here("is neither a '#' line nor the column names '{}'", kColumns);
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
  note_source("BigMoeOnEdge route trace v1", rows_.path(), header_);
  header_.columns.weights = true;
  chosen_.resize(geometry.experts_per_layer);
  return sink_.begin(header_);
}

Result<Row> BigMoeImport::parse(std::string_view line) const {
  Row row;
  std::string_view rest = line;
  uint32_t residency = 0;
  uint64_t read_bytes = 0;
  if (!take_field(rest, row.turn) || !take_field(rest, row.phase) || !take_field(rest, row.token) ||
      !take_field(rest, row.layer) || !take_field(rest, row.slot) || !take_field(rest, row.expert) ||
      !take_field(rest, row.weight) || !take_field(rest, residency) || !take_field(rest, read_bytes) ||
      !rest.empty()) {
    return rows_.here("'{}' is not a row of {}", line.substr(0, 80), kColumns);
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
  step_.weights.push_back(row.weight);
  last_ = row;
  return {};
}

// Takes the first row of a token in a layer. It begins the next token of a prefill batch, the next
// layer, or the next pass.
Result<void> BigMoeImport::start_token(const Row& row) {
  if (in_step_ && last_.slot + 1 != header_.geometry.used_top_k) {
    return rows_.here("the previous token ended after {} of {} slots", last_.slot + 1,
                      header_.geometry.used_top_k);
  }
  if (row.slot != 0) {
    return rows_.here("a token must start at slot 0, but starts at slot {}", row.slot);
  }
  std::fill(chosen_.begin(), chosen_.end(), false);
  const bool same_group = in_step_ && row.turn == last_.turn && row.phase == last_.phase;
  if (same_group && row.phase == 0 && row.layer == last_.layer && row.token > last_.token) {
    ++step_.tokens;
    return {};
  }
  const bool same_pass =
      same_group && row.layer > last_.layer && (row.phase == 0 || row.token == last_.token);
  const bool later = !in_step_ || row.turn > last_.turn ||
                     (row.turn == last_.turn && (row.phase > last_.phase || row.token > last_.token));
  if (!same_pass && !later) {
    return rows_.here(
        "out of order: turn {} phase {} step {} layer {} after turn {} phase {} step {} layer {}", row.turn,
        row.phase, row.token, row.layer, last_.turn, last_.phase, last_.token, last_.layer);
  }
  if (Result<void> ended = end_step(); !ended) {
    return ended;
  }
  step_.pass += in_step_ && !same_pass ? 1 : 0;
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

bool recognises(std::string_view start, uint64_t) {
  return start.starts_with("# route_trace v");
}

}  // namespace

Importer bigmoe() {
  return {"bigmoe", "BigMoeOnEdge route trace (CSV, version 1)", recognises, import_rows<BigMoeImport>};
}

}  // namespace spillway::importer
