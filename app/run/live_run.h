#pragma once

#include <memory>
#include <string>

#include "app/run/live_model.h"
#include "app/run/rig.h"
#include "model/decoder.h"

namespace spillway {

// What every command that decodes with a real model is told.
struct LiveRunOptions {
  LiveModelOptions live;
  CacheOptions cache;
  Option cache_option;  // --cache: what it is not given for has a default
  RigOptions rig;
  uint32_t lookahead = 0;  // layers whose predictions to record, more if a prefetcher wants more
};

void add_live_run_options(Command command, LiveRunOptions& options);

// A model that decodes through the same pager, policies and backends that traces are replayed with. Made in
// place, since its parts refer to each other.
struct LiveRun {
  std::unique_ptr<LiveModel> live;
  uint32_t context = 0;       // tokens of a sequence
  uint32_t longest_text = 0;  // so many of them can be used
  std::string length_option;  // what asks for so long a text, as an error names it: `--tokens 4096`
  uint32_t batch = 1;         // tokens of a forward pass, at most
  uint32_t lookahead = 0;     // layers
  SourceInfo info;
  CacheOptions cache;  // its size as decided
  Policies policies;
  Rig rig;
};

// Reads the head of the model: enough to know what a prompt is in tokens.
Result<void> open_live(const LiveRunOptions& options, LiveRun& run);

// Everything that can be refused, before anything large is read.
Result<void> equip_live(const LiveRunOptions& options, LiveRun& run);

// Reads the resident weights, for sequences of run.context tokens, and makes the cache's memory real.
Result<void> load_live(const LiveRunOptions& options, LiveRun& run);

Report begin_live_report(std::string command, const LiveRunOptions& options, const LiveRun& run,
                         const Invocation& invocation);

// Decodes what `feed` gives, from cold, and fills in the report; every step goes to `recorder`, if there is
// one, when it is done.
Result<void> run_live(const LiveRunOptions& options, LiveRun& run, TokenFeed& feed,
                      const Decoder::Recorder& recorder, Report& report);

}  // namespace spillway
