#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/ports.h"

namespace spillway {

// Counts how often each expert was used of late (TinyLFU: Einziger, Friedman, Manes, "TinyLFU: a highly
// efficient cache admission policy", ACM Transactions on Storage 13(4), 2017). The first use since the latest
// ageing only opens the expert's door; further uses are counted. When a sample is full, all counts are
// halved, all doors are closed, and half of the sample counts as seen.
//
// The paper approximates this histogram by a count-min sketch and the doors by a Bloom filter, because its
// keys are without number. Experts are numbered densely, and their exact histogram is smaller than a sketch
// with as little error would be. So nothing is approximated here.
class TinyLfu {
 public:
  // A sample is `sample_bytes` of uses. Counts do not rise beyond `most`.
  TinyLfu(uint32_t experts, uint64_t sample_bytes, uint32_t most)
      : sample_bytes_(sample_bytes), most_(most), counts_(experts, 0), doors_(experts, false) {}

  void use(ExpertId id, uint64_t bytes) {
    if (doors_[index_of(id)]) {
      counts_[index_of(id)] = std::min(counts_[index_of(id)] + 1, most_);
    } else {
      doors_[index_of(id)] = true;
    }
    seen_bytes_ += bytes;
    if (seen_bytes_ >= sample_bytes_) {
      age();
    }
  }

  uint32_t estimate(ExpertId id) const { return counts_[index_of(id)] + (doors_[index_of(id)] ? 1 : 0); }

 private:
  void age() {
    for (uint32_t& count : counts_) {
      count /= 2;
    }
    doors_.assign(doors_.size(), false);
    seen_bytes_ /= 2;
  }

  uint64_t sample_bytes_;
  uint32_t most_;
  uint64_t seen_bytes_ = 0;
  std::vector<uint32_t> counts_;  // by expert
  std::vector<bool> doors_;       // by expert: used since the latest ageing
};

}  // namespace spillway
