#pragma once

#include <memory>
#include <string>

#include "app/run/live_model.h"
#include "app/run/rig.h"
#include "model/decoder.h"

namespace spillway {

// Options of every command that decodes with a real model.
struct LiveRunOptions {
  LiveModelOptions live;
  CacheOptions cache;
  Option cache_option;  // --cache: the size has a default unless this option is given
  RigOptions rig;
  uint32_t lookahead = 0;  // layers whose predictions are recorded; more if a prefetcher needs more
};

void add_live_run_options(Command command, LiveRunOptions& options);

// A model that decodes through the same pager, policies and backends as replays of traces. Built in place,
// since its parts refer to each other.
struct LiveRun {
  std::unique_ptr<LiveModel> live;
  // What the user ought to know of the model and the run, a sentence each. load_live() prints them to stderr:
  // a command that is refused says why, and nothing else.
  std::vector<std::string> notes;
  uint32_t context = 0;       // tokens of a sequence
  uint32_t longest_text = 0;  // tokens of a sequence that can really be used
  std::string length_option;  // option that asks for the longest text, as errors name it: `--tokens 4096`
  uint32_t batch = 1;         // tokens of a forward pass at most
  uint32_t lookahead = 0;     // layers
  SourceInfo info;
  CacheOptions cache;  // with the size that was decided
  Policies policies;
  Rig rig;
};

// Reads the head of the model, which is enough to turn a prompt into tokens.
Result<void> open_live(const LiveRunOptions& options, LiveRun& run);

// Opens the store, memory, policies and backend. Whatever can be refused is refused here, before
// anything large is read.
Result<void> equip_live(const LiveRunOptions& options, LiveRun& run);

// Reads the resident weights, for sequences of run.context tokens, and touches the cache's memory.
Result<void> load_live(const LiveRunOptions& options, LiveRun& run);

Report begin_live_report(std::string command, const LiveRunOptions& options, const LiveRun& run,
                         const Invocation& invocation);

// Decodes the tokens of `feed`, from cold, and fills in the report. Passes every finished step to
// `recorder`, if there is one.
Result<void> run_live(const LiveRunOptions& options, LiveRun& run, TokenFeed& feed,
                      const Decoder::Recorder& recorder, Report& report);

}  // namespace spillway
