#pragma once

#include "sim/plan/plan.h"

// Models and machines for the planner's tests: two whose byte counts others published, and ones with round
// numbers for which the expected times can be computed by hand.
namespace spillway::plan {

inline ModelShape qwen35(uint32_t layers, uint32_t hidden, uint32_t experts, uint32_t top_k) {
  ModelShape shape;
  shape.layers = layers;
  shape.hidden = hidden;
  shape.vocabulary = 248320;
  shape.experts = experts;
  shape.top_k = top_k;
  shape.expert_ffn = shape.shared_ffn = 1024;
  shape.full_every = 4;
  shape.attention = {.heads = 32, .kv_heads = 2, .head_size = 256, .gated = true};
  shape.linear = LinearAttention{16, 64, 128, 4};
  return shape;
}

inline ModelShape qwen35_397b() {
  return qwen35(60, 4096, 512, 10);
}

inline ModelShape qwen35_122b() {
  return qwen35(48, 3072, 256, 8);
}

// 10 layers of 100 experts of 10 MB, of which a token uses 2 in each layer; 1 GB of other weights; 1 MB of
// keys and values a token.
inline ModelBytes round_model() {
  ModelBytes model;
  model.layers = model.moe_layers = 10;
  model.experts_per_layer = 100;
  model.top_k = 2;
  model.mixer = 1'000'000'000;
  model.expert = 10'000'000;
  model.full_kv_per_token = 1'000'000;
  return model;
}

inline Range exactly(double value) {
  return {value, value, value};
}

// 100 GB/s of which half is reached; 1 ms of launches a layer; keys and values as fast as
// weights; 10 GB of memory.
inline Machine round_machine() {
  Machine machine;
  machine.memory = 10'000'000'000;
  machine.reserved = 1'000'000'000;
  machine.bandwidth = 100e9;
  machine.memory_share = exactly(0.5);
  machine.arithmetic = exactly(1e15);
  machine.launch_s = exactly(0.001);
  machine.attention_rate = exactly(0.5);
  machine.copy_rate = 10e9;
  return machine;
}

inline Runtime round_runtime(ReadPath path) {
  return {"round", true, exactly(1), path, exactly(0.5), exactly(0)};
}

inline Decode round_decode() {
  Decode decode;
  decode.model = round_model();
  decode.machine = round_machine();
  decode.drive = {"round", 4e9, 100e-6, 100, 1};
  decode.runtime = round_runtime(ReadPath::direct);
  decode.locality = {"round", {{0.5, 0.75}}, exactly(1)};
  decode.top_k = 2;
  return decode;
}

inline Question round_question() {
  const Decode decode = round_decode();
  Question question;
  question.model = decode.model;
  question.machine = decode.machine;
  question.drive = decode.drive;
  question.resident = question.streaming = decode.runtime;
  question.locality = decode.locality;
  question.top_k = decode.top_k;
  return question;
}

}  // namespace spillway::plan
