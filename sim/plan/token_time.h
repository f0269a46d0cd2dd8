#pragma once

#include <cstdint>
#include <optional>

#include "sim/plan/hardware.h"
#include "sim/plan/locality.h"
#include "sim/plan/model_bytes.h"

// The time of one token of decode, from first principles:
//
//   weights      the slower of: resident weights, the experts used and twice the recurrent state ÷ (memory
//                bandwidth × share), and the weights' number ÷ arithmetic rate
//   attention    the slower of: keys and values ÷ (memory bandwidth × share), and keys and values, counted
//   once
//                for each query head that reads them, ÷ (memory bandwidth × attention rate)
//   launches     layers × launch time × the runtime's factor
//   cached reads experts found in the page cache ÷ copy rate; nothing where the cache is the runtime's own
//   drive        experts missed ÷ (drives' bandwidth × share), and in each layer that misses one, the latency
//   hidden       of the smaller of drive time and the experts' share of the weights' time (by bytes, or as it
//                was recorded), what overlaps
//
// They add up (less `hidden`): a layer's experts are not known before its attention is done, nor the next
// layer before them, and where SSD and processor share one memory controller they slow each other besides
// (Flash-MoE).
//
// Each constant is a range. The interval takes each in turn to its worse end, the others as they most likely
// are, and adds the deviations in quadrature, as independent errors do.
namespace spillway::plan {

struct TokenTime {
  double weights_s = 0;
  double experts_s = 0;  // of weights_s: what can hide reads
  double attention_s = 0;
  double launches_s = 0;
  double cached_reads_s = 0;
  double drive_s = 0;    // the latency included
  double latency_s = 0;  // of drive_s
  double hidden_s = 0;

  double hit_ratio = 1;        // of the experts a token uses
  double missed_bytes = 0;     // read from the drive for it
  double cached_bytes = 0;     // copied from the page cache
  bool by_arithmetic = false;  // weights_s is the processor's, not the memory's
  TokenTraffic traffic;

  double total_s() const {
    return weights_s + attention_s + launches_s + cached_reads_s + drive_s - hidden_s;
  }
};

// tok/s: as likely as not within low and high, most likely central.
struct Forecast {
  TokenTime time;
  double low = 0;
  double central = 0;
  double high = 0;
};

// What computing took where a trace was recorded, the mean of a token, all layers together.
struct RecordedCompute {
  double attention_s = 0;  // all that comes before the experts: dense weights, attention, launches
  double experts_s = 0;
};

// What the time of a token depends on.
struct Decode {
  ModelBytes model;
  Machine machine;
  Drive drive;
  Runtime runtime;
  LocalityProfile locality;
  uint32_t top_k = 0;
  uint64_t context = 0;                     // tokens before it
  double cached_share = 1;                  // of all experts that the cache holds; 1: nothing is read
  std::optional<double> hit_ratio;          // known, instead of from the profile
  std::optional<RecordedCompute> recorded;  // instead of weights, attention and launches
};

Forecast forecast(const Decode& decode);

}  // namespace spillway::plan
