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

struct BlockQ4_1 {
  uint8_t d[2];
  uint8_t m[2];
  uint8_t q[16];
};

struct BlockQ5_0 {
  uint8_t d[2];
  uint8_t high[4];  // the fifth bit of each value
  uint8_t q[16];
};

struct BlockQ5_1 {
  uint8_t d[2];
  uint8_t m[2];
  uint8_t high[4];
  uint8_t q[16];
};

struct BlockIq4Nl {
  uint8_t d[2];
  uint8_t q[16];
};

struct BlockNvfp4 {
  uint8_t scales[4];  // E4M3 without a sign, one for every 16 values
  uint8_t q[4][8];
};

struct BlockQ1_0 {
  uint8_t d[2];
  uint8_t signs[16];  // one bit a value, 1 for plus
};

struct BlockQ2_0 {
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

struct BlockIq2S {
  uint8_t d[2];
  uint8_t grid[32];  // the lower eight bits of each grid index
  uint8_t signs[32];
  uint8_t high[8];  // the upper two bits of four grid indices
  uint8_t scales[8];
};

struct BlockIq3Xxs {
  uint8_t d[2];
  uint8_t grid[8][8];
  uint8_t codes[8][4];  // four 7-bit sign codes and a 4-bit scale
};

struct BlockIq3S {
  uint8_t d[2];
  uint8_t grid[8][8];  // the lower eight bits of each grid index
  uint8_t high[8];     // the ninth bit of eight grid indices
  uint8_t signs[32];
  uint8_t scales[4];
};

struct BlockIq4Xs {
  uint8_t d[2];
  uint8_t scales_high[2];
  uint8_t scales_low[4];
  uint8_t q[8][16];
};

struct BlockIq1S {
  uint8_t d[2];
  uint8_t grid[32];    // the lower eight bits of each grid index
  uint8_t high[8][2];  // the upper three bits of four grid indices, a 3-bit scale, the sign of the shift
};

struct BlockIq1M {
  uint8_t grid[32];      // the lower eight bits of each grid index
  uint8_t high[16];      // of each grid index the upper three bits and the sign of the shift
  uint8_t scales[4][2];  // four 3-bit scales each; the upper four bits of all are a half, the block's scale
};

struct BlockTq1_0 {
  uint8_t q[48];  // five digits to the base of three a byte
  uint8_t high[4];
  uint8_t d[2];
};

struct BlockTq2_0 {
  uint8_t q[64];
  uint8_t d[2];
};

static_assert(sizeof(BlockQ4_1) == 20 && sizeof(BlockQ5_0) == 22 && sizeof(BlockQ5_1) == 24);
static_assert(sizeof(BlockIq4Nl) == 18 && sizeof(BlockNvfp4) == 36);
static_assert(sizeof(BlockQ1_0) == 18 && sizeof(BlockQ2_0) == 18);
static_assert(sizeof(BlockIq2S) == 82 && sizeof(BlockIq3Xxs) == 98 && sizeof(BlockIq3S) == 110);
static_assert(sizeof(BlockIq4Xs) == 136 && sizeof(BlockIq1S) == 50 && sizeof(BlockIq1M) == 56);
static_assert(sizeof(BlockTq1_0) == 54 && sizeof(BlockTq2_0) == 66);
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

// ---- the tables of the IQ types and MXFP4 (iq_tables.cc)

// Entries of one byte a lane, the first lane in the lowest byte.
template <class Entry, size_t N>
struct Grid {
  Entry of[N];
};
extern const Grid<uint64_t, 256> kIq2XxsGrid;  // magnitudes
extern const Grid<uint64_t, 512> kIq2XsGrid;
extern const Grid<uint64_t, 1024> kIq2SGrid;
extern const Grid<uint64_t, 2048> kIq1Grid;  // eight times the values: -8, 0 or 8
extern const Grid<uint32_t, 256> kIq3XxsGrid;
extern const Grid<uint32_t, 512> kIq3SGrid;
extern const Grid<uint64_t, 128> kIqSigns;  // each byte: 0xff if its lane is negative, else 1
extern const int8_t kMxfp4Values[16];
extern const int8_t kIq4Values[16];

}  // namespace spillway
