#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/function_ref.h"
#include "core/result.h"
#include "model/bit_rule.h"
#include "model/gguf/gguf.h"

namespace spillway {

struct QuantizePlan {
  const Gguf* gguf = nullptr;
  std::vector<WeightChoice> choices;  // one for each tensor, in the order of the file
  std::string output;
  bool replace = false;  // a file that is there
  unsigned threads = 1;
};

// What quantizing a tensor has cost; zero where its bytes were copied.
struct QuantizeLoss {
  double squares = 0;  // the sum of those of the values, and of their errors
  double errors = 0;
};

struct QuantizedFile {
  uint64_t bytes = 0;
  std::vector<QuantizeLoss> losses;  // as plan.choices
};

// Writes the whole model, of however many files, into one with the same keys. Takes a few megabytes of
// memory, however large the tensors, and the keys. A full disk is seen before anything is written; what
// fails, or is stopped by `progress` (of the model's bytes; false: stop), leaves nothing behind, and what was
// at the output's name before is there until the new file is whole. The same bytes whatever the number of
// threads.
Result<QuantizedFile> quantize_file(const QuantizePlan& plan, FunctionRef<bool(uint64_t done)> progress);

}  // namespace spillway
