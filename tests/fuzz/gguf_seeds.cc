#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "tests/model/gguf_builder.h"

// Writes small, whole inputs for gguf_fuzz into an existing folder: `gguf_seeds FOLDER`.
namespace {

using spillway::TensorType;
using spillway::test::GgufBuilder;

std::string input_of(const std::vector<std::string>& files) {
  std::string input(1, char(files.size() - 1));
  for (size_t i = 0; i < files.size(); ++i) {
    if (i + 1 < files.size()) {
      input += char(files[i].size() & 0xff);
      input += char(files[i].size() >> 8);
    }
    input += files[i];
  }
  return input;
}

GgufBuilder lists() {
  GgufBuilder builder;
  builder.text("general.architecture", "x").number("x.block_count", 3U).number("x.expert_count", 2U);
  builder.number("x.nextn_predict_layers", 1U).numbers<uint32_t>("x.expert_used_count", {1, 2, 1});
  builder.numbers<uint64_t>("u64", {1, 2}).numbers<double>("f64", {0.5}).texts("texts", {"one", "", "two"});
  for (const char* name : {"blk.1.ffn_gate_up_exps.weight", "blk.1.ffn_down_exps.weight"}) {
    builder.tensor(name, {32, 1, 2}, TensorType::q8_0);
  }
  return builder;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: gguf_seeds FOLDER\n";
    return 2;
  }
  GgufBuilder second = spillway::test::tiny_moe();
  second.version = 2;
  const std::vector<std::string> seeds = {
      input_of({spillway::test::tiny_moe().bytes()}), input_of({second.bytes()}),
      input_of({GgufBuilder().bytes()}), input_of({lists().bytes()}),
      input_of({spillway::test::split_part(0, "blk.0.ffn_gate_exps.weight"),
                spillway::test::split_part(1, "blk.0.ffn_up_exps.weight"),
                spillway::test::split_part(2, "blk.0.ffn_down_exps.weight")})};
  for (size_t i = 0; i < seeds.size(); ++i) {
    std::ofstream file(std::string(arguments[1]) + "/seed-" + std::to_string(i), std::ios::binary);
    if (!(file << seeds[i])) {
      std::cerr << "cannot write into " << arguments[1] << "\n";
      return 1;
    }
  }
  return 0;
}
