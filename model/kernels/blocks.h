#pragma once

#include <cstddef>
#include <cstdint>

// The packed blocks of a GGUF file and the activation blocks they are multiplied with. Plain data: this file
// is compiled into every instruction set's source, so it must define no function with external linkage.
namespace spillway {

// ---- weights, as the file holds them (little-endian, no alignment)

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
  uint8_t groups[8][8];  // four times a 9-bit grid index and a 7-bit sign code
  uint8_t scales[8];
};

static_assert(sizeof(BlockQ8_0) == 34 && sizeof(BlockQ4_0) == 18 && sizeof(BlockMxfp4) == 17);
static_assert(sizeof(BlockQ2K) == 84 && sizeof(BlockQ3K) == 110 && sizeof(BlockQ4K) == 144);
static_assert(sizeof(BlockQ5K) == 176 && sizeof(BlockQ6K) == 210);
static_assert(sizeof(BlockIq2Xxs) == 66 && sizeof(BlockIq2Xs) == 74);

// ---- activations, laid out for the multiplication alone; nothing stores them

// 256 values and what the formats with a minimum or an offset need besides.
struct ActivationQ8K {
  int8_t q[256];
  int16_t sums16[16];  // of each sixteen values
  int32_t sums32[8];   // of each thirty-two
  float d;
  float unused[7];  // keeps the next block aligned
};

// Eight blocks of 32; those beyond the end of the row are zero.
struct ActivationQ8 {
  int8_t q[8][32];
  // -8 times the sum of four neighbours and of the four that lie 16 behind: takes the offset of Q4_0 away.
  int32_t minus8[8][4];
  float d[8];  // rounded to half precision
};

static_assert(sizeof(ActivationQ8K) == 352 && sizeof(ActivationQ8) == 416);

// F16, BF16 and F32 rows are f32 values that were rounded to the type.

// ---- the tables of the IQ2 types (iq2_tables.cc)

extern const uint64_t kIq2XxsGrid[256];  // eight magnitudes each, the first in the lowest byte
extern const uint64_t kIq2XsGrid[512];
extern const uint64_t kIq2Signs[128];  // 0xff where the lane is negative, else 1
extern const int8_t kMxfp4Values[16];

}  // namespace spillway
