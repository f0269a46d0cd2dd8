#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace spillway::plan {

// A figure that is not known exactly: its most likely value, and the range in which it was observed.
struct Range {
  double low = 0;
  double central = 0;
  double high = 0;
};

// A computer and its memory. Where the experts are computed on a GPU that shares the memory,
// the figures are the GPU's.
struct Machine {
  std::string name;
  std::string summary;
  std::vector<uint64_t> memory_options;  // bytes of memory that it is sold with, ascending; empty: any
  uint64_t memory = 0;                   // bytes
  uint64_t reserved = 0;                 // bytes that the system and other programs keep
  double bandwidth = 0;                  // of the memory, bytes/s, as specified
  Range memory_share;                    // share of `bandwidth` that reading weights reaches
  Range arithmetic;                      // weights unpacked and multiplied per second
  Range launch_s;        // a layer's time without moving weights: starting kernels, synchronising threads
  Range attention_rate;  // keys and values, counted once per query head: in multiples of `bandwidth`
  double copy_rate = 0;  // from the page cache to the memory that experts are computed from, bytes/s
  std::string drive;     // the preset of the built-in drive; empty: there is none
};

struct Drive {
  std::string name;
  double bandwidth = 0;  // sequential, bytes/s, of one drive
  double latency_s = 0;  // from a request to its first byte
  double price = 0;      // of one drive; 0: it comes with the machine
  uint32_t count = 1;    // drives of this kind, striped
};

// Returns the bandwidth of `drive.count` striped drives. Each doubling of the count loses a little.
double array_bandwidth(const Drive& drive);

enum class ReadPath { direct, page_cache };

// The way in which a program runs a model.
struct Runtime {
  std::string name;
  bool streams = false;              // experts can stay on the drive
  Range launch_factor;               // its launches as a multiple of Machine::launch_s
  ReadPath path = ReadPath::direct;  // direct: with a cache of its own; else the system's page cache
  Range drive_share;                 // of the sequential bandwidth, for whole experts, a layer at a time
  Range hidden;  // of the overlap that reads and experts' compute could have, the share they do
};

}  // namespace spillway::plan
