#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "app/report/report.h"
#include "app/run/feeds.h"
#include "app/run/live_run.h"
#include "model/sampler.h"

namespace spillway {

struct RecordOptions : LiveRunOptions {
  std::vector<std::string> prompts;
  std::vector<std::string> prompt_files;  // whose texts are prompts
  std::string system;                     // what a chat begins with
  bool raw = false;                       // prompts are no messages of a chat
  GenerationOptions generation;
  SamplerOptions sampler;
  uint32_t context = 0;   // 0: what the prompts and replies need
  std::string output;     // the trace
  bool force = false;     // outputs replace what is there
  bool no_trace = false;  // only generate
  std::string token_ids;  // a file of token numbers to feed instead of prompts
  std::string logits;     // a file for the logits after each of them
};

// Decodes with the model, writes which experts each token needed and, where options ask for them, the logits.
// The generated text goes to `text` as it comes. The report of an interrupted run covers what was decoded.
Result<Report> record(const RecordOptions& options, const Invocation& invocation, std::FILE* text);

}  // namespace spillway
