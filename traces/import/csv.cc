#include <optional>

#include "traces/export.h"
#include "traces/import/import.h"
#include "traces/import/lines.h"

// Our own CSV (export.h), so that a trace can be edited as text and come back whole.
namespace spillway {
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

std::string_view take_text(std::string_view& rest) {
  const size_t comma = rest.find(',');
  const std::string_view field = rest.substr(0, comma);
  rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
  return field;
}

// An empty cell is nothing; any other must be a number.
template <class T>
bool take_optional(std::string_view& rest, std::optional<T>& value) {
  if (rest.empty() || rest.front() == ',') {
    take_text(rest);
    return true;
  }
  return take_field(rest, value.emplace());
}

class CsvImport {
 public:
  CsvImport(LineReader lines, const ImportOptions& options, const ImportSink& sink)
      : lines_(std::move(lines)), options_(options), sink_(sink) {}

  Result<void> run();

 private:
  template <class... Args>
  Unexpected here(fmt::format_string<Args...> format, Args&&... args) const {
    return failed("{}:{}: {}", lines_.path(), lines_.number(),
                  fmt::format(format, std::forward<Args>(args)...));
  }

  Result<void> begin();
  Result<Row> parse(std::string_view line) const;
  Result<void> add(const Row& row);
  Result<void> start_step(const Row& row);
  Result<void> end_step();

  LineReader lines_;
  const ImportOptions& options_;
  const ImportSink& sink_;
  TraceHeader header_;
  Step step_;
  size_t rows_left_ = 0;  // of the step, when its tokens are known
  bool in_step_ = false;
};

Result<void> CsvImport::begin() {
  std::string_view line;
  Result<bool> more = lines_.next(line);
  if (!more) {
    return propagate(more);
  }
  if (!*more || !line.starts_with(kCsvFirstWord)) {
    return here("the first line is not '{}{{header}}'", kCsvFirstWord);
  }
  Result<TraceHeader> header = header_from_json(line.substr(kCsvFirstWord.size()));
  if (!header) {
    return here("{}", header.error().message);
  }
  header_ = std::move(*header);
  if (Result<void> same = check_same_shape(lines_.path(), options_, header_.geometry); !same) {
    return same;
  }
  if (!options_.expert_bytes.empty()) {
    std::vector<bool> has_experts;
    for (const uint64_t bytes : header_.geometry.expert_bytes) {
      has_experts.push_back(bytes != 0);
    }
    Result<std::vector<uint64_t>> bytes = expert_bytes_per_layer(lines_.path(), options_, has_experts);
    if (!bytes) {
      return propagate(bytes);
    }
    header_.geometry.expert_bytes = std::move(*bytes);
  }
  header_.geometry.top_k = options_.native_top_k.value_or(header_.geometry.top_k);
  if (Result<void> valid = header_.geometry.validate(); !valid) {
    return failed("{}: {}", lines_.path(), valid.error().message);
  }
  more = lines_.next(line);
  if (!more) {
    return propagate(more);
  }
  if (!*more || line != kCsvColumns) {
    return here("the second line is not '{}'", kCsvColumns);
  }
  return sink_.begin(header_);
}

Result<Row> CsvImport::parse(std::string_view line) const {
  Row row;
  std::string_view rest = line;
  bool good = take_field(rest, row.pass);
  row.phase = take_text(rest);
  good = good && take_field(rest, row.sequence) && take_field(rest, row.layer) &&
         take_field(rest, row.tokens) && take_optional(rest, row.token) && take_field(rest, row.expert) &&
         take_optional(rest, row.weight) && take_optional(rest, row.token_id) &&
         take_optional(rest, row.attention_ns) && take_optional(rest, row.experts_ns);
  row.lookahead = rest;
  if (!good || (row.phase != "prefill" && row.phase != "decode")) {
    return here("'{}' is not a row of {}", line.substr(0, 80), kCsvColumns);
  }
  const ModelGeometry& geometry = header_.geometry;
  if (row.layer >= geometry.layers || row.expert >= geometry.experts_per_layer || row.tokens == 0) {
    return here("layer {}, expert {}, {} tokens is outside {} layers × {} experts", row.layer, row.expert,
                row.tokens, geometry.layers, geometry.experts_per_layer);
  }
  return row;
}

Result<void> CsvImport::start_step(const Row& row) {
  if (Result<void> ended = end_step(); !ended) {
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
      return here("look-ahead '{}' is not LAYER/EXPERT of this model", one);
    }
    step_.lookahead.push_back(geometry.id(layer, expert));
  }
  return {};
}

Result<void> CsvImport::add(const Row& row) {
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
  const size_t token = step_.choices.size() / header_.geometry.used_top_k;
  if (*row.token != token || row.tokens != step_.tokens) {
    return here("token {} of {} where token {} of {} is due", *row.token, row.tokens, token, step_.tokens);
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

Result<void> CsvImport::end_step() {
  if (!in_step_) {
    return {};
  }
  if (rows_left_ != 0) {
    return here("the step of pass {}, layer {} lacks {} choices", step_.pass, step_.layer, rows_left_);
  }
  if (Result<void> appended = sink_.append(step_); !appended) {
    return here("{}", appended.error().message);
  }
  return {};
}

Result<void> CsvImport::run() {
  if (Result<void> begun = begin(); !begun) {
    return begun;
  }
  std::string_view line;
  for (;;) {
    Result<bool> more = lines_.next(line);
    if (!more) {
      return propagate(more);
    }
    if (!*more) {
      return end_step();
    }
    if (line.empty() || line.starts_with('#')) {
      continue;
    }
    Result<Row> row = parse(line);
    if (!row) {
      return propagate(row);
    }
    if (Result<void> added = add(*row); !added) {
      return added;
    }
  }
}

bool recognises(std::string_view start, uint64_t) {
  return start.starts_with(kCsvFirstWord);
}

Result<void> import_file(const std::string& path, const ImportOptions& options, const ImportSink& sink) {
  Result<LineReader> lines = LineReader::open(path, sink.progress);
  if (!lines) {
    return propagate(lines);
  }
  return CsvImport(std::move(*lines), options, sink).run();
}

}  // namespace

Importer csv_importer() {
  return {"csv", "what `spillway trace export --to csv` wrote", recognises, import_file};
}

}  // namespace spillway
