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
  bool replace = false;  // replaces a file that exists
  unsigned threads = 1;
};

// The error that quantizing a tensor caused; zero if its bytes were copied.
struct QuantizeLoss {
  double squares = 0;  // the sum of the squares of the values
  double errors = 0;   // the sum of the squares of their errors
};

struct QuantizedFile {
  uint64_t bytes = 0;
  std::vector<QuantizeLoss> losses;  // one for each of plan.choices
};

// Writes the whole model, whose input may be split into several files, into one file with the same keys.
// Takes a few megabytes of memory and the size of the keys, however large the tensors are. Fails before
// anything is written if the disk is too full. `progress` is called with the bytes of the model that are
// done; it returns false to stop. If the work fails or is stopped, nothing is left behind, and a file
// that had the output's name stays until the new file is complete. The bytes do not depend on the number
// of threads.
Result<QuantizedFile> quantize_file(const QuantizePlan& plan, FunctionRef<bool(uint64_t done)> progress);

}  // namespace spillway
