#pragma once

#include <cstdint>
#include <optional>

#include "sim/plan/hardware.h"
#include "sim/plan/locality.h"
#include "sim/plan/model_bytes.h"

// The time of one token of decode, from first principles:
//
//   weights      the slower of: (resident weights + used experts + twice the recurrent state) ÷ (memory
//                bandwidth × share), and the number of weights ÷ arithmetic rate
//   attention    the slower of: keys and values ÷ (memory bandwidth × share), and keys and values, counted
//                once for each query head that reads them, ÷ (memory bandwidth × attention rate)
//   launches     layers × launch time × the runtime's factor
//   cached reads experts found in the page cache ÷ copy rate; 0 where the cache is the runtime's own
//   drive        missed experts ÷ (drives' bandwidth × share), and the latency for each layer with a miss
//   hidden       the overlap of reads and compute: a share of the smaller of drive time and the experts' part
//                of the weights' time (by bytes, or as recorded)
//
// The times add up, less `hidden`: a layer's experts are known only after its attention, and the next
// layer only begins after them. Where SSD and processor share one memory controller, they also slow
// each other down (Flash-MoE).
//
// Each constant is a range. For the interval, each constant in turn goes to both its ends while the others
// stay at their most likely values; the deviations are added in quadrature, as for independent errors.
namespace spillway::plan {

struct TokenTime {
  double weights_s = 0;
  double experts_s = 0;  // the part of weights_s that can hide reads
  double attention_s = 0;
  double launches_s = 0;
  double cached_reads_s = 0;
  double drive_s = 0;  // includes latency_s
  double latency_s = 0;
  double hidden_s = 0;

  double hit_ratio = 1;        // of the experts a token uses
  double missed_bytes = 0;     // read from the drive
  double cached_bytes = 0;     // copied from the page cache
  bool by_arithmetic = false;  // weights_s is limited by the processor, not by the memory
  TokenTraffic traffic;

  double total_s() const {
    return weights_s + attention_s + launches_s + cached_reads_s + drive_s - hidden_s;
  }
};

// A forecast in tok/s. `central` is the most likely speed; the real one is as likely as not
// between `low` and `high`.
struct Forecast {
  TokenTime time;
  double low = 0;
  double central = 0;
  double high = 0;
};

// The compute times of a recorded trace: the mean of a token, all layers together.
struct RecordedCompute {
  double attention_s = 0;  // all work before the experts: dense weights, attention, launches
  double experts_s = 0;
};

// The inputs on which the time of a token depends.
struct Decode {
  ModelBytes model;
  Machine machine;
  Drive drive;
  Runtime runtime;
  LocalityProfile locality;
  uint32_t top_k = 0;
  uint64_t context = 0;                     // tokens before this one
  double cached_share = 1;                  // share of all experts that the cache holds; 1: nothing is read
  std::optional<double> hit_ratio;          // if known, replaces that of the profile
  std::optional<RecordedCompute> recorded;  // if known, replaces weights, attention and launches
};

Forecast forecast(const Decode& decode);

}  // namespace spillway::plan
