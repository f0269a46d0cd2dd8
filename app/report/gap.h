#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace spillway {

// One cause of a token's time. Negative where it saves some.
struct GapBar {
  enum class How { counted, measured, simulated };
  std::string name;
  double s_per_token = 0;
  How how = How::measured;
  std::string explanation;  // in this run's figures
};

// From what the drive's best bandwidth would give, were every expert read, to what was achieved:
// seed + bars + residual = achieved, the residual being what the bars leave over.
struct Gap {
  double seed_s_per_token = 0;
  double achieved_s_per_token = 0;
  std::vector<GapBar> bars;

  double residual_s_per_token() const {
    double rest = achieved_s_per_token - seed_s_per_token;
    for (const GapBar& bar : bars) {
      rest -= bar.s_per_token;
    }
    return rest;
  }
};

// What was found out about a run, mostly by running it again with one cause after another taken away. All per
// token of decode. Where a cause was not there to take away, its run is the one without it.
struct GapEvidence {
  double achieved_s = 0;
  // Where that is of a model that really decoded: what it waited for reads.
  std::optional<double> live_stall_s;
  double best_bytes_per_s = 0;  // the drive's best on the same files, in the same run
  double cycle_bytes = 0;       // every expert that a token uses
  double missed_bytes = 0;      // what this policy reads of them, without prefetch
  double optimal_bytes = 0;     // what Belady's would

  // The drive with reads of the experts' own sizes at random, as many in flight as there may be, no layer to
  // wait for.
  double random_bytes_per_s = 0;
  // The run without compute and prefetch: simulated from the usual latencies measured beside it; really on
  // the direct path; and really by the backend that was asked for.
  double barrier_s = 0;
  double direct_s = 0;
  double tail_s = 0;  // of direct_s: what its slow moments took beyond what was usual for the same reads
  double backend_s = 0;
  std::string backend;         // the backend that was asked for
  double management_s = 0;     // of direct_s: the drive had nothing to do
  double moving_s = 0;         // of that, since experts were moved together, so that others find room
  double with_compute_s = 0;   // the run with compute, without prefetch
  double with_prefetch_s = 0;  // the run with both: of a replay the one that achieved_s is of
  double stall_s = 0;          // of it: waiting for reads
  double compute_s = 0;        // of it: arithmetic
  double wasted_bytes = 0;     // prefetched for nothing
  bool simulated = false;      // all of it is of runs in virtual time
  bool prefetches = false;
  bool computes = false;
};

Gap explain(const GapEvidence& evidence);

// How long a token's reads took, and would have by the drive's usual latencies, in seconds.
struct TokenReads {
  double took_s = 0;
  double expected_s = 0;  // 0: it read nothing
};

// What the tokens that met a slow moment of the drive took beyond what was usual for their reads, in all.
// Usual is the median token; a quarter longer than that is slow.
double slow_moments(std::span<const TokenReads> tokens);

std::string to_table(const Gap& gap);

}  // namespace spillway
