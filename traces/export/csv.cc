#include "core/for_each_step.h"
#include "core/text.h"
#include "traces/export/export.h"

namespace spillway {
namespace {

constexpr size_t kFlushBytes = 1U << 20;

void append_time(std::string& text, const std::optional<Nanoseconds>& time) {
  if (time) {
    append(text, "{}", time->count());
  }
}

// Appends the cells that describe the whole step.
void append_step_cells(std::string& text, const ModelGeometry& geometry, const Step& step) {
  text.push_back(',');
  append_time(text, step.attention_time);
  text.push_back(',');
  append_time(text, step.experts_time);
  text.push_back(',');
  for (size_t i = 0; i < step.lookahead.size(); ++i) {
    append(text, "{}{}/{}", i == 0 ? "" : " ", geometry.layer_of(step.lookahead[i]),
           geometry.expert_of(step.lookahead[i]));
  }
}

void append_rows(std::string& text, const ModelGeometry& geometry, const Step& step) {
  const bool listed = step.choices.empty();
  const size_t rows = listed ? step.experts.size() : step.choices.size();
  for (size_t i = 0; i < rows; ++i) {
    append(text, "{},{},{},{},{},", step.pass, step.phase == Phase::prefill ? "prefill" : "decode",
           step.sequence, step.layer, step.tokens);
    const size_t token = i / geometry.used_top_k;
    if (listed) {
      append(text, ",{},", geometry.expert_of(step.experts[i]));
    } else {
      append(text, "{},{},", token, step.choices[i]);
    }
    if (!step.weights.empty()) {
      append(text, "{}", step.weights[i]);
    }
    text.push_back(',');
    if (!listed && !step.token_ids.empty()) {
      append(text, "{}", step.token_ids[token]);
    }
    if (i == 0) {
      append_step_cells(text, geometry, step);
    } else {
      text += ",,,";
    }
    text.push_back('\n');
  }
}

Result<void> flush(std::string& text, ByteSink out) {
  Result<void> written = out({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  text.clear();
  return written;
}

}  // namespace

Result<void> export_csv(StepSource& source, const TraceHeader& header, ByteSink out) {
  std::string text;
  append(text, "{}{}\n{}\n", kCsvFirstWord, header_to_json(header), kCsvColumns);
  Result<void> written = for_each_step(source, [&](const Step& step) {
    append_rows(text, header.geometry, step);
    return text.size() >= kFlushBytes ? flush(text, out) : Result<void>();
  });
  return written ? flush(text, out) : written;
}

}  // namespace spillway
