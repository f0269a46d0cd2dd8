#pragma once

#include <cstdint>
#include <string>

#include "app/report/report.h"
#include "app/run/live_run.h"

namespace spillway {

struct PerplexityOptions : LiveRunOptions {
  std::string file;        // the text
  uint32_t context = 512;  // tokens of a window
  uint32_t stride = 0;     // tokens from one window to the next; 0: the context, without overlap
  uint32_t batch = 512;    // tokens of a forward pass
};

// How much a text surprised a model.
struct Perplexity {
  double value = 0;           // e to the power of mean_nats
  double standard_error = 0;  // of value
  double mean_nats = 0;       // per token
  uint64_t scored_tokens = 0;
  uint64_t windows = 0;
  Report report;
};

// Decodes the text in windows, each a sequence of its own. After an interruption the figure covers the
// windows so far. `options.stride` is not 0.
Result<Perplexity> measure_perplexity(const PerplexityOptions& options, const Invocation& invocation);

// Returns the JSON of the report with the perplexity in it.
Json to_json(const Perplexity& perplexity);

}  // namespace spillway
