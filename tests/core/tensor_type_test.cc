#include "core/tensor_type.h"

#include <gtest/gtest.h>

#include <set>
#include <string_view>

namespace spillway {
namespace {

TEST(TensorTypes, AreEachListedOnce) {
  std::set<TensorType> types;
  std::set<std::string_view> names;
  for (const TensorTypeInfo& info : tensor_types()) {
    EXPECT_TRUE(types.insert(info.type).second) << info.name;
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_EQ(find_tensor_type(uint32_t(info.type)), &info);
    EXPECT_GT(info.block_elements, 0U) << info.name;
    EXPECT_GT(info.block_bytes, 0U) << info.name;
  }
  EXPECT_EQ(find_tensor_type(4), nullptr) << "a withdrawn number";
  EXPECT_EQ(find_tensor_type(UINT32_MAX), nullptr);
}

TEST(TensorTypes, GiveARowTheBytesOfItsBlocks) {
  EXPECT_EQ(*row_bytes(TensorType::q4_k, 2048), 8 * 144U);
  EXPECT_EQ(*row_bytes(TensorType::mxfp4, 2880), 90 * 17U);
  EXPECT_FALSE(row_bytes(TensorType::q4_k, 2880)) << "not a whole number of blocks of 256";
  EXPECT_FALSE(row_bytes(TensorType::q4_k, 0));
  EXPECT_FALSE(row_bytes(TensorType::f64, UINT64_MAX / 2)) << "more bytes than there are";
}

TEST(TensorTypes, KnowWhichOfThemHasFewerBits) {
  EXPECT_TRUE(has_fewer_bits(TensorType::q4_k, TensorType::q8_0));
  EXPECT_TRUE(has_fewer_bits(TensorType::mxfp4, TensorType::q4_0)) << "4.25 and 4.5";
  EXPECT_FALSE(has_fewer_bits(TensorType::q4_k, TensorType::q4_0)) << "4.5 both";
  EXPECT_FALSE(has_fewer_bits(TensorType::f16, TensorType::q6_k));
}

}  // namespace
}  // namespace spillway
