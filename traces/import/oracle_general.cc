#include "traces/oracle_general.h"

#include <algorithm>
#include <optional>

#include "traces/import/header.h"

// Imports libCacheSim's oracleGeneral: a flat list of requests, where object id = layer × experts + expert.
// The format has neither tokens nor steps. A step ends where the layer changes or an object repeats (in a
// model of one layer: after top-k requests). A step with top-k objects comes from one token. A step with more
// comes from a batch, whose tokens are unknown.
namespace spillway::importer {
namespace {

class OracleImport {
 public:
  OracleImport(PlainInput file, const ImportOptions& options, const ImportSink& sink)
      : file_(std::move(file)), options_(options), sink_(sink) {}

  Result<void> run();

 private:
  template <class... Args>
  Unexpected here(fmt::format_string<Args...> format, Args&&... args) const {
    return failed("{}: record {} at offset {}: {}", file_.path(), record_ + 1, record_ * kOracleRecordBytes,
                  fmt::format(format, std::forward<Args>(args)...));
  }

  template <class Visit>
  Result<void> for_each_record(Visit visit);
  Result<void> begin();
  Result<void> note_size(const OracleRecord& record);
  Result<void> add(const OracleRecord& record);
  Result<void> end_step();
  Result<void> end_pass();

  PlainInput file_;
  const ImportOptions& options_;
  const ImportSink& sink_;
  TraceHeader header_;
  uint64_t record_ = 0;  // index of the current record
  ToldBytes bytes_of_layer_;
  Step step_;
  std::vector<bool> in_step_;  // per expert of the layer
  std::vector<Step> pass_;     // kept until the pass ends: one step of a batch makes all of it prefill
  uint64_t passes_ = 0;
};

template <class Visit>
Result<void> OracleImport::for_each_record(Visit visit) {
  std::vector<uint8_t> chunk(kOracleRecordBytes << 15);
  record_ = 0;
  for (;;) {
    Result<size_t> got = file_.read_at(record_ * kOracleRecordBytes, chunk);
    if (!got) {
      return propagate(got);
    }
    if (*got % kOracleRecordBytes != 0) {
      record_ += *got / kOracleRecordBytes;
      return here("is cut off after {} of {} bytes", *got % kOracleRecordBytes, kOracleRecordBytes);
    }
    for (size_t at = 0; at < *got; at += kOracleRecordBytes, ++record_) {
      if (Result<void> visited = visit(decode_oracle_record(chunk.data() + at)); !visited) {
        return visited;
      }
    }
    if (*got < chunk.size()) {
      return {};
    }
  }
}

// Notes the size of an expert. Used in a first run over the file, since the header needs the
// sizes before any step.
Result<void> OracleImport::note_size(const OracleRecord& record) {
  const ModelGeometry& geometry = header_.geometry;
  if (record.object >= geometry.expert_count()) {
    return here("object {} is not one of {} layers × {} experts", record.object, geometry.layers,
                geometry.experts_per_layer);
  }
  std::optional<uint64_t>& bytes = bytes_of_layer_[record.object / geometry.experts_per_layer];
  if (options_.expert_bytes.empty() && bytes.value_or(record.bytes) != record.bytes) {
    return here("object {} has {} bytes, but others of layer {} have {}; give --expert-bytes SIZE",
                record.object, record.bytes, record.object / geometry.experts_per_layer, *bytes);
  }
  bytes = record.bytes;
  return {};
}

Result<void> OracleImport::begin() {
  ModelGeometry& geometry = header_.geometry;
  if (!options_.layers || !options_.experts_per_layer || !options_.used_top_k) {
    return wrong_usage(
        "{}: oracleGeneral lacks the model's shape; give --layers N --experts N --top-k N or --model PRESET",
        file_.path());
  }
  geometry.layers = *options_.layers;
  geometry.experts_per_layer = *options_.experts_per_layer;
  geometry.used_top_k = *options_.used_top_k;
  geometry.top_k = options_.native_top_k.value_or(geometry.used_top_k);
  // The sizes are not known yet: the counts are validated first, with a stand-in size.
  geometry.expert_bytes.assign(std::min(geometry.layers, 1U << 20), 1);
  if (Result<void> valid = geometry.validate(); !valid) {
    return wrong_usage("{}: {}", file_.path(), valid.error().message);
  }
  bytes_of_layer_.resize(geometry.layers);
  in_step_.resize(geometry.experts_per_layer);
  if (Result<void> seen = for_each_record([&](const OracleRecord& record) { return note_size(record); });
      !seen) {
    return seen;
  }
  if (record_ == 0) {
    return failed("{}: has no records", file_.path());
  }
  for (std::optional<uint64_t>& bytes : bytes_of_layer_) {
    if (!bytes && !options_.expert_bytes.empty()) {
      bytes = 0;  // the layer has no experts, since none was requested
    } else if (bytes.value_or(0) <= 1) {
      bytes.reset();  // cache traces often count objects instead of bytes
    }
  }
  if (Result<void> complete = complete_geometry(file_.path(), options_, bytes_of_layer_, geometry);
      !complete) {
    return complete;
  }
  header_.model = options_.model;
  note_source("libCacheSim oracleGeneral", file_.path(), header_);
  return sink_.begin(header_);
}

Result<void> OracleImport::add(const OracleRecord& record) {
  const ModelGeometry& geometry = header_.geometry;
  const auto layer = uint32_t(record.object / geometry.experts_per_layer);
  const auto expert = size_t(record.object % geometry.experts_per_layer);
  if (!step_.experts.empty()) {
    const bool full = geometry.layers == 1 && step_.experts.size() == geometry.used_top_k;
    if (layer != step_.layer || in_step_[expert] || full) {
      if (Result<void> ended = end_step(); !ended) {
        return ended;
      }
      if (layer <= step_.layer) {
        if (Result<void> ended = end_pass(); !ended) {
          return ended;
        }
      }
    }
  }
  step_.layer = layer;
  step_.experts.push_back(ExpertId{uint32_t(record.object)});
  in_step_[expert] = true;
  return {};
}

Result<void> OracleImport::end_step() {
  const ModelGeometry& geometry = header_.geometry;
  const auto count = uint32_t(step_.experts.size());
  if (count < geometry.used_top_k) {
    return here("the previous step, in layer {}, has {} experts; a token of top-{} has {}", step_.layer,
                count, geometry.used_top_k, geometry.used_top_k);
  }
  step_.choices.clear();
  if (count == geometry.used_top_k) {
    for (const ExpertId id : step_.experts) {
      step_.choices.push_back(uint16_t(geometry.expert_of(id)));
    }
  }
  // The fewest tokens that can choose this many experts.
  step_.tokens = (count + geometry.used_top_k - 1) / geometry.used_top_k;
  step_.pass = passes_;
  pass_.push_back(step_);
  for (const ExpertId id : step_.experts) {
    in_step_[geometry.expert_of(id)] = false;
  }
  step_.experts.clear();
  return {};
}

Result<void> OracleImport::end_pass() {
  const bool batch =
      std::any_of(pass_.begin(), pass_.end(), [](const Step& step) { return step.choices.empty(); });
  for (Step& step : pass_) {
    step.phase = batch ? Phase::prefill : Phase::decode;
    if (Result<void> appended = sink_.append(step); !appended) {
      return appended;
    }
  }
  if (sink_.progress) {
    sink_.progress(record_ * kOracleRecordBytes);
  }
  pass_.clear();
  ++passes_;
  return {};
}

Result<void> OracleImport::run() {
  if (Result<void> begun = begin(); !begun) {
    return begun;
  }
  if (Result<void> read = for_each_record([&](const OracleRecord& record) { return add(record); }); !read) {
    return read;
  }
  if (Result<void> ended = end_step(); !ended) {
    return ended;
  }
  return end_pass();
}

// Checks the index of the next request in each record, since the format has no magic number. Within the
// visible part of the file, the index must lead to the same object, which is unlikely by chance.
bool recognises(std::string_view start, PlainInput& file) {
  const Result<uint64_t> file_bytes = file.size();
  if (!file_bytes || *file_bytes == 0 || *file_bytes % kOracleRecordBytes != 0) {
    return false;
  }
  const auto* bytes = reinterpret_cast<const uint8_t*>(start.data());
  const uint64_t here = start.size() / kOracleRecordBytes;
  const uint64_t all = *file_bytes / kOracleRecordBytes;
  for (uint64_t i = 0; i < here; ++i) {
    const OracleRecord record = decode_oracle_record(bytes + i * kOracleRecordBytes);
    if (record.next == -1) {
      continue;
    }
    if (record.next <= int64_t(i + 1) || uint64_t(record.next) > all) {
      return false;
    }
    const uint64_t next = uint64_t(record.next) - 1;
    if (next < here && decode_oracle_record(bytes + next * kOracleRecordBytes).object != record.object) {
      return false;
    }
  }
  return true;
}

Result<void> import_file(const std::string& path, const ImportOptions& options, const ImportSink& sink) {
  Result<PlainInput> file = PlainInput::open(path);
  if (!file) {
    return propagate(file);
  }
  return OracleImport(std::move(*file), options, sink).run();
}

}  // namespace

Importer oracle_general() {
  return {"oraclegeneral", "libCacheSim oracleGeneral (24-byte records; needs --layers --experts --top-k)",
          recognises, import_file};
}

}  // namespace spillway::importer
