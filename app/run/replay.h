#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/calibrate/drive_watch.h"
#include "app/run/rig.h"
#include "app/run/run.h"

namespace spillway {

struct ReplayOptions {
  RunOptions run;
  RigOptions rig;
  std::vector<std::string> stores;
  std::optional<uint32_t> ranges;
  bool yes = false;         // consents to a large store in the cache folder
  std::string watch_drive;  // file for the drive's profile during the run; empty: none
};

// With `listed`, the command takes several values of some options.
void add_replay_options(Command command, ReplayOptions& options, ListedOptions* listed = nullptr);

// Finds or makes the store and everything that is built on it. Whatever can be refused is refused before a
// store of gigabytes is made, and a store is announced before it is made.
Result<void> make_rig(const ReplayOptions& options, const Composition& parts, const Invocation& invocation,
                      Rig& rig);

// Runs the trace on the rig that make_rig() made from the same options. `watch`, if there is one, measures
// the drive before, during and after the run.
Result<Report> replay(const ReplayOptions& options, Composition& parts, Rig& rig,
                      const Invocation& invocation, DriveWatch* watch = nullptr);

}  // namespace spillway
