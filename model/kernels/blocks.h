#pragma once

#include <cstddef>
#include <cstdint>

// The packed blocks of a GGUF file, and the activation blocks that they are multiplied with. This file holds
// plain data only: it is compiled into every instruction set's source, so it must define no function with
// external linkage.
namespace spillway {

// ---- weights, as they are in the file (little-endian, not aligned)

struct BlockQ8_0 {
  uint8_t d[2];
  int8_t q[32];
};

struct BlockQ4_0 {
  uint8_t d[2];
  uint8_t q[16];
};

struct BlockMxfp4 {
  uint8_t e;
  uint8_t q[16];
};

struct BlockQ2K {
  uint8_t scales[16];
  uint8_t q[64];
  uint8_t d[2];
  uint8_t dmin[2];
};

struct BlockQ3K {
  uint8_t high[32];
  uint8_t q[64];
  uint8_t scales[12];
  uint8_t d[2];
};

struct BlockQ4K {
  uint8_t d[2];
  uint8_t dmin[2];
  uint8_t scales[12];
  uint8_t q[128];
};

struct BlockQ5K {
  uint8_t d[2];
  uint8_t dmin[2];
  uint8_t scales[12];
  uint8_t high[32];
  uint8_t q[128];
};

struct BlockQ6K {
  uint8_t low[128];
  uint8_t high[64];
  int8_t scales[16];
  uint8_t d[2];
};

struct BlockIq2Xxs {
  uint8_t d[2];
  uint8_t groups[8][8];  // four grid indices; four 7-bit sign codes and a 4-bit scale
};

struct BlockIq2Xs {
  uint8_t d[2];
  uint8_t groups[8][8];  // four pairs of a 9-bit grid index and a 7-bit sign code
  uint8_t scales[8];
};

static_assert(sizeof(BlockQ8_0) == 34 && sizeof(BlockQ4_0) == 18 && sizeof(BlockMxfp4) == 17);
static_assert(sizeof(BlockQ2K) == 84 && sizeof(BlockQ3K) == 110 && sizeof(BlockQ4K) == 144);
static_assert(sizeof(BlockQ5K) == 176 && sizeof(BlockQ6K) == 210);
static_assert(sizeof(BlockIq2Xxs) == 66 && sizeof(BlockIq2Xs) == 74);

// ---- activations, in a layout for the multiplication alone: they are never stored

// 256 values, with the sums that formats with a minimum or an offset need.
struct ActivationQ8K {
  int8_t q[256];
  int16_t sums16[16];  // of each 16 values
  int32_t sums32[8];   // of each 32 values
  float d;
  float unused[7];  // keeps the next block aligned
};

// Eight blocks of 32 values; values beyond the end of the row are zero.
struct ActivationQ8 {
  int8_t q[8][32];
  // -8 times the sum of four neighbours and of the four that lie 16 further on. Adding it
  // removes the offset 8 of Q4_0.
  int32_t minus8[8][4];
  float d[8];  // rounded to half precision
};

static_assert(sizeof(ActivationQ8K) == 352 && sizeof(ActivationQ8) == 416);

// Activation rows for F16, BF16 and F32 weights are f32 values that were rounded to the weights' type.

// ---- the tables of the IQ2 types (iq2_tables.cc)

extern const uint64_t kIq2XxsGrid[256];  // eight magnitudes each, the first in the lowest byte
extern const uint64_t kIq2XsGrid[512];
extern const uint64_t kIq2Signs[128];  // each byte: 0xff if its lane is negative, else 1
extern const int8_t kMxfp4Values[16];

}  // namespace spillway
