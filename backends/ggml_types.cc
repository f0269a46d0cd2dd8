#include "backends/ggml_types.h"

#include <algorithm>
#include <array>

namespace spillway {
namespace {

struct Block {
  uint32_t type;
  uint32_t elements;
  uint32_t bytes;
};

// The types by their numbers in ggml.h; those that were withdrawn are missing.
constexpr std::array<Block, 34> kBlocks = {
    {{0, 1, 4},      {1, 1, 2},      {2, 32, 18},   {3, 32, 20},    {6, 32, 22},    {7, 32, 24},
     {8, 32, 34},    {9, 32, 36},    {10, 256, 84}, {11, 256, 110}, {12, 256, 144}, {13, 256, 176},
     {14, 256, 210}, {15, 256, 292}, {16, 256, 66}, {17, 256, 74},  {18, 256, 98},  {19, 256, 50},
     {20, 32, 18},   {21, 256, 110}, {22, 256, 82}, {23, 256, 136}, {24, 1, 1},     {25, 1, 2},
     {26, 1, 4},     {27, 1, 8},     {28, 1, 8},    {29, 256, 56},  {30, 1, 2},     {34, 256, 54},
     {35, 256, 66},  {39, 32, 17},   {40, 64, 36}}};

}  // namespace

Result<uint64_t> ggml_row_bytes(uint32_t type, uint64_t elements) {
  const auto block =
      std::find_if(kBlocks.begin(), kBlocks.end(), [&](const Block& entry) { return entry.type == type; });
  if (block == kBlocks.end()) {
    return failed("unknown ggml type {}", type);
  }
  if (elements == 0 || elements % block->elements != 0) {
    return failed("rows of {} elements are no whole blocks of {} as ggml type {} has", elements,
                  block->elements, type);
  }
  uint64_t bytes = 0;
  if (__builtin_mul_overflow(elements / block->elements, uint64_t(block->bytes), &bytes)) {
    return failed("rows of {} elements are impossible", elements);
  }
  return bytes;
}

}  // namespace spillway
