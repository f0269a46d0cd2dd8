#pragma once

#include <memory>

#include "core/function_ref.h"
#include "core/ports.h"
#include "runtime/loader.h"

namespace spillway {

// Decides when the loader is pumped while something is computed. A recorded or imagined computation only lets
// time pass, and the session pumps meanwhile. A live model computes on the session's own thread: nobody pumps
// until it has finished, so the loader is told before how long that will probably take.
struct Pump {
  virtual ~Pump() = default;

  // Asks `source` for the next step; false at the end of the source.
  virtual Result<bool> take(StepSource& source, Step& step) = 0;

  // Sends the reads of a step whose experts were just looked up.
  virtual Result<void> send_demands() = 0;

  // Called before an expert is computed. No demand will be waited for until `idle_until`, so prefetch may use
  // the drive; the function is called only where the answer matters.
  virtual Result<void> before_expert(FunctionRef<Nanoseconds()> idle_until) = 0;
};

// The pump for a source with `info`. `loader` and `clock` must outlive it.
std::unique_ptr<Pump> make_pump(const SourceInfo& info, Loader& loader, const Clock& clock);

}  // namespace spillway
