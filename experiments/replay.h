#pragma once

#include <optional>
#include <string>
#include <vector>

#include "experiments/rig.h"
#include "experiments/run.h"

namespace spillway {

struct ReplayOptions {
  RunOptions run;
  RigOptions rig;
  std::vector<std::string> stores;
  std::optional<uint32_t> ranges;
};

void add_replay_options(Command command, ReplayOptions& options);

// Finds or makes the store, and all that stands on it; whatever can be refused is refused before a store of
// gigabytes is made.
Result<void> make_rig(const ReplayOptions& options, const Composition& parts, Rig& rig);

// Runs the trace on the rig, which make_rig() made of the same options.
Result<Report> replay(const ReplayOptions& options, Composition& parts, Rig& rig,
                      const Invocation& invocation);

}  // namespace spillway
