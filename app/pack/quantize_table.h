#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "app/pack/quantize_file.h"
#include "core/json_fwd.h"
#include "model/bit_rule.h"
#include "model/gguf/gguf.h"

namespace spillway {

// The tensors of a group that went the same way.
struct QuantizeRow {
  uint64_t tensors = 0;
  uint64_t values = 0;
  uint64_t bytes_before = 0;
  uint64_t bytes_after = 0;
  QuantizeLoss loss;

  void add(const QuantizeRow& other) {
    tensors += other.tensors;
    values += other.values;
    bytes_before += other.bytes_before;
    bytes_after += other.bytes_after;
    loss.squares += other.loss.squares;
    loss.errors += other.loss.errors;
  }
  double bits_per_weight() const;
  double error() const;  // root mean square, relative to the weights
};

// By what they are for, and the types before and after.
using QuantizeKey = std::tuple<WeightGroup, TensorType, TensorType>;

// What quantizing a model has cost, tensors of a kind together.
struct QuantizeTable {
  std::map<QuantizeKey, QuantizeRow> rows;
  std::map<Shortfall, QuantizeRow> shortfalls;
  QuantizeRow total;
};

// `losses` as `choices`.
QuantizeTable make_table(const std::vector<WeightChoice>& choices, const std::vector<QuantizeLoss>& losses);

std::string to_table(const QuantizeTable& table);

// A line for each reason why tensors did not get the bits that were asked for.
std::vector<std::string> describe_shortfalls(const QuantizeTable& table);

// As spillway.quantize/1; `bytes` of the file `output`, which was made from `gguf` by `rule`.
Json to_json(const QuantizeTable& table, const Gguf& gguf, const std::string& rule, const std::string& output,
             uint64_t bytes);

}  // namespace spillway
