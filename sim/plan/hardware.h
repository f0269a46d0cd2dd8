#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace spillway::plan {

// A figure that is not known exactly: what it most likely is, and from where to where it was seen.
struct Range {
  double low = 0;
  double central = 0;
  double high = 0;
};

// What computes, and its memory. Where a machine's processor is a GPU that shares the memory, the figures are
// the GPU's.
struct Machine {
  std::string name;
  std::string summary;
  std::vector<uint64_t> memory_options;  // bytes it can be had with, ascending; empty: any
  uint64_t memory = 0;                   // bytes
  uint64_t reserved = 0;                 // bytes that the system and other programs keep
  double bandwidth = 0;                  // of the memory, bytes/s, as specified
  Range memory_share;                    // of it that reading weights reaches
  Range arithmetic;                      // weights unpacked and multiplied per second
  Range launch_s;        // a layer's time that moves no weights: starting kernels, waiting for each other
  Range attention_rate;  // keys and values, counted once for each query head: multiples of `bandwidth`
  double copy_rate = 0;  // from the page cache to where experts are computed, bytes/s
  std::string drive;     // the preset of the one that is built in; empty: none is
};

struct Drive {
  std::string name;
  double bandwidth = 0;  // sequential, bytes/s, of one
  double latency_s = 0;  // from asking to the first byte
  double price = 0;      // of one; 0: it comes with the machine
  uint32_t count = 1;    // striped
};

// `drive.count` of them together. Striping loses a little at each doubling.
double array_bandwidth(const Drive& drive);

enum class ReadPath { direct, page_cache };

// How a program runs a model.
struct Runtime {
  std::string name;
  bool streams = false;              // experts can stay on the drive
  Range launch_factor;               // its launches against Machine::launch_s
  ReadPath path = ReadPath::direct;  // with a cache of its own, or through the system's page cache
  Range drive_share;                 // of the sequential bandwidth, for whole experts, a layer at a time
  Range hidden;                      // of what could overlap of reading and of experts' compute, what does
};

}  // namespace spillway::plan
