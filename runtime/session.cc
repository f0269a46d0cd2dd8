#include "runtime/session.h"

#include <algorithm>

#include "runtime/pass_meter.h"

namespace spillway {

Result<void> Session::run(FunctionRef<bool()> stop) {
  PassMeter passes(ports_.observer);
  Step step;
  Result<void> outcome;
  while (outcome) {
    const Nanoseconds start = ports_.clock.now();
    const Result<bool> more = ports_.source.next(step);
    if (!more) {
      outcome = Unexpected(more.error());
      break;
    }
    if (!*more) {
      passes.close(start);
      break;
    }
    if (stop()) {
      if (passes.begins_pass(step)) {
        passes.close(start);
      }
      break;
    }
    passes.enter(step, start);
    outcome = run_step(step);
  }
  ports_.loader.drain();
  if (outcome) {
    ports_.pager.finish();
  }
  return outcome;
}

Result<void> Session::run_step(const Step& step) {
  const Nanoseconds start = ports_.clock.now();
  const Nanoseconds routed = ports_.compute.attention(step, start);
  if (Result<void> waited = await(routed, routed); !waited) {
    return waited;
  }
  report(EventKind::attention, step, start, routed - start);

  ports_.pager.begin(step);
  ports_.prefetcher.observe(step);
  hints_.clear();
  ports_.prefetcher.propose(step, hints_);
  ports_.pager.hint(hints_);
  if (Result<void> ran = run_experts(step); !ran) {
    return ran;
  }
  ports_.pager.end();
  report(EventKind::step, step, start, ports_.clock.now() - start);
  return {};
}

Result<void> Session::run_experts(const Step& step) {
  pending_.assign(step.experts.begin(), step.experts.end());
  if (Result<void> pumped = ports_.loader.pump(Loader::kBusy); !pumped) {
    return pumped;
  }
  while (!pending_.empty()) {
    ExpertId expert{};
    if (!take_ready(expert)) {
      const Nanoseconds start = ports_.clock.now();
      // Where computing takes no time, waking up for each expert gains nothing and costs a context switch.
      const Loader::Until until = instant_ ? Loader::Until::last_expert : Loader::Until::first_expert;
      if (Result<void> waited = ports_.loader.wait(until); !waited) {
        return waited;
      }
      report(EventKind::stall, step, start, ports_.clock.now() - start);
      continue;
    }
    const Nanoseconds start = ports_.clock.now();
    const Nanoseconds end = ports_.compute.expert(step, expert, ports_.loader.bytes(expert), start);
    instant_ = end == start;
    // Once the step's last bytes are there the drive is idle until all that is left has been computed.
    const bool all_here = std::all_of(pending_.begin(), pending_.end(),
                                      [this](ExpertId other) { return ports_.pager.ready(other); });
    const Nanoseconds idle_until = all_here ? end + (end - start) * int64_t(pending_.size()) : Loader::kBusy;
    if (Result<void> waited = await(end, idle_until); !waited) {
      return waited;
    }
    report(EventKind::expert, step, start, end - start, expert);
    ports_.pager.used(expert);
  }
  return {};
}

// Pumps until `deadline`; prefetch may use the drive until `idle_until`.
Result<void> Session::await(Nanoseconds deadline, Nanoseconds idle_until) {
  while (ports_.clock.now() < deadline) {
    if (Result<void> pumped = ports_.loader.pump(idle_until); !pumped) {
      return pumped;
    }
    ports_.clock.wait_until(deadline);
  }
  return {};
}

// Takes the first expert in the step's order whose bytes are there.
bool Session::take_ready(ExpertId& expert) {
  const auto ready = std::find_if(pending_.begin(), pending_.end(),
                                  [this](ExpertId candidate) { return ports_.pager.ready(candidate); });
  if (ready == pending_.end()) {
    return false;
  }
  expert = *ready;
  pending_.erase(ready);
  return true;
}

void Session::report(EventKind kind, const Step& step, Nanoseconds start, Nanoseconds duration,
                     ExpertId expert) {
  ports_.observer.on({.kind = kind,
                      .phase = step.phase,
                      .tokens = step.tokens,
                      .expert = expert,
                      .step = step.index,
                      .start = start,
                      .duration = duration});
}

}  // namespace spillway
