#pragma once

#include <memory>
#include <optional>
#include <string>

#include "app/cli/cli.h"
#include "host/linux/page_memory.h"
#include "model/model.h"
#include "model/text/tokenizer.h"

namespace spillway {

// What every command that really computes is told about the model.
struct LiveModelOptions {
  std::string model;
  std::vector<std::string> store;  // of the experts, when they are not read from the model file
  uint32_t threads = 0;            // 0: as many as there are cores
  std::string kv = "f16";
  std::optional<uint64_t> used_top_k;  // the model's own, if not given
};

void add_live_model_options(Command command, LiveModelOptions& options);

// A model file that is about to be run: first its head, then what stays in memory.
class LiveModel {
 public:
  // Reads the head alone. Fails on a model that cannot be run here, as far as that shows without its weights.
  static Result<std::unique_ptr<LiveModel>> open(const LiveModelOptions& options);

  const Gguf& gguf() const { return gguf_; }
  const Tokenizer& tokenizer() const { return tokenizer_; }
  const ModelGeometry& geometry() const { return geometry_; }
  std::string name() const;  // what the file calls itself, or its file name
  Isa isa() const { return isa_; }
  unsigned threads() const { return threads_; }

  // Takes the memory for the resident weights; none of it is touched yet.
  Result<void> reserve();
  const PageMemory& memory() const { return memory_; }

  // Keys and values of so many tokens; of more than can be counted, the most that can.
  uint64_t context_bytes(uint32_t tokens) const;

  // Reads the resident weights into it and puts the model together, with room for sequences of `context`
  // tokens.
  Result<void> load(uint32_t context);

  // After load().
  Model& model() { return *model_; }
  Engine& engine() { return *engine_; }

 private:
  LiveModel(Gguf gguf, GgufExperts experts, ModelGeometry geometry, Tokenizer tokenizer)
      : gguf_(std::move(gguf)),
        experts_(std::move(experts)),
        geometry_(std::move(geometry)),
        tokenizer_(std::move(tokenizer)) {}

  Gguf gguf_;
  GgufExperts experts_;
  ModelGeometry geometry_;
  Tokenizer tokenizer_;
  KvType kv_ = KvType::f16;
  Isa isa_ = Isa::portable;
  unsigned threads_ = 1;
  PageMemory memory_;
  std::optional<ResidentWeights> weights_;
  std::optional<Model> model_;
  std::optional<Engine> engine_;
};

}  // namespace spillway
