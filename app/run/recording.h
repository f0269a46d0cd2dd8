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
  std::vector<std::string> prompt_files;  // each file's text is a prompt
  std::string system;                     // system message at the beginning of a chat
  bool raw = false;                       // prompts are given to the model as they are, not as chat messages
  GenerationOptions generation;
  SamplerOptions sampler;
  uint32_t context = 0;   // 0: as long as the prompts and replies need
  std::string output;     // the trace
  bool force = false;     // replace existing outputs
  bool no_trace = false;  // generate only
  std::string token_ids;  // file of token numbers to feed instead of prompts
  std::string logits;     // file for the logits after each of these tokens
};

// Decodes with the model and writes the experts that each token needed and, if the options ask for
// them, the logits. The generated text goes to `text` as it comes. The report of an interrupted run
// covers the decoded part.
Result<Report> record(const RecordOptions& options, const Invocation& invocation, std::FILE* text);

}  // namespace spillway
