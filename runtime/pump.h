#pragma once

#include <memory>

#include "core/function_ref.h"
#include "core/ports.h"
#include "runtime/loader.h"

namespace spillway {

// Decides when the loader is pumped during computation. A recorded or simulated computation only lets time
// pass, and the session pumps meanwhile. A live model computes on the session's own thread, so nobody can
// pump until it has finished; the loader is told beforehand how long that will probably take.
struct Pump {
  virtual ~Pump() = default;

  // Asks `source` for the next step. Returns false at the end of the source.
  virtual Result<bool> take(StepSource& source, Step& step) = 0;

  // Sends the reads of a step whose experts were just looked up.
  virtual Result<void> send_demands() = 0;

  // Called before an expert is computed. No demand will be waited for until `idle_until`, so prefetch may use
  // the drive. The function `idle_until` is called only if its answer is needed.
  virtual Result<void> before_expert(FunctionRef<Nanoseconds()> idle_until) = 0;
};

// Returns the pump for a source with `info`. `loader` and `clock` must outlive it.
std::unique_ptr<Pump> make_pump(const SourceInfo& info, Loader& loader, const Clock& clock);

}  // namespace spillway
