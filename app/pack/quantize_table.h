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

// The tensors of one group that changed from one type to another.
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

// The group of the tensors, and their types before and after.
using QuantizeKey = std::tuple<WeightGroup, TensorType, TensorType>;

// The effect of quantizing a model on its bytes and errors, with tensors of the same key added up.
struct QuantizeTable {
  std::map<QuantizeKey, QuantizeRow> rows;
  std::map<Shortfall, QuantizeRow> shortfalls;
  QuantizeRow total;
};

// Adds up the tensors. `losses` has one element for each of `choices`.
QuantizeTable make_table(const std::vector<WeightChoice>& choices, const std::vector<QuantizeLoss>& losses);

std::string to_table(const QuantizeTable& table);

// Returns a line for each reason why tensors did not get the bits that were asked for.
std::vector<std::string> describe_shortfalls(const QuantizeTable& table);

// Returns the table as spillway.quantize/1. `output`, a file of `bytes`, was made from `gguf` by `rule`.
Json to_json(const QuantizeTable& table, const Gguf& gguf, const std::string& rule, const std::string& output,
             uint64_t bytes);

}  // namespace spillway
