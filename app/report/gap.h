#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace spillway {

// One cause of a token's time. A cause that saves time has a negative bar.
struct GapBar {
  enum class How { counted, measured, simulated };
  std::string name;
  double s_per_token = 0;
  How how = How::measured;
  std::string explanation;  // with this run's figures
};

// The way from the speed at the drive's best bandwidth, were every expert read, to the achieved speed: seed +
// bars + residual = achieved. The residual is what the bars leave unexplained.
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

// The evidence about a run, mostly from runs with one cause after another taken away. All times and bytes are
// per token of decode. If a cause was not there to take away, its run is the one without it.
struct GapEvidence {
  double achieved_s = 0;
  // If achieved_s is that of a model that really decoded: its wait for reads.
  std::optional<double> live_stall_s;
  double best_bytes_per_s = 0;  // the drive's best on the same files, in the same run
  double cycle_bytes = 0;       // every expert that a token uses
  double missed_bytes = 0;      // the part of them that this policy reads, without prefetch
  double optimal_bytes = 0;     // the part that Belady's policy would read

  // The drive's rate with random reads of the experts' own sizes, as many in flight as possible, and
  // no layer to wait for.
  double random_bytes_per_s = 0;
  // The run without compute and prefetch: barrier_s is simulated from the usual latencies measured beside it,
  // direct_s is measured on the direct path, and backend_s with the requested backend.
  double barrier_s = 0;
  double direct_s = 0;
  double tail_s = 0;  // part of direct_s: excess of slow moments over the usual time of the same reads
  double backend_s = 0;
  std::string backend;         // the requested backend
  double management_s = 0;     // part of direct_s: the drive had nothing to do
  double moving_s = 0;         // part of management_s: experts were moved together to join holes
  double with_compute_s = 0;   // the run with compute, without prefetch
  double with_prefetch_s = 0;  // the run with both; for a replay, achieved_s is of this run
  double stall_s = 0;          // part of with_prefetch_s: waiting for reads
  double compute_s = 0;        // part of with_prefetch_s: arithmetic
  double wasted_bytes = 0;     // prefetched for nothing
  bool simulated = false;      // all the runs were in virtual time
  bool prefetches = false;
  bool computes = false;
};

Gap explain(const GapEvidence& evidence);

// The time that a token's reads took, and the time by the drive's usual latencies, in seconds.
struct TokenReads {
  double took_s = 0;
  double expected_s = 0;  // 0: the token read nothing
};

// Returns the total time by which tokens that met a slow moment of the drive exceeded the usual time of their
// reads. The median token is usual; a token that takes a quarter longer is slow.
double slow_moments(std::span<const TokenReads> tokens);

std::string to_table(const Gap& gap);

}  // namespace spillway
