#pragma once

#include <memory>
#include <optional>
#include <string>

#include "app/cli/cli.h"
#include "host/linux/page_memory.h"
#include "model/model.h"
#include "model/text/tokenizer.h"

namespace spillway {

// Options about the model, shared by every command that really computes.
struct LiveModelOptions {
  std::string model;
  std::vector<std::string> store;  // files of the packed experts; empty: the model file
  uint32_t threads = 0;            // 0: as many as can run at the same time
  std::string kv = "f16";
  std::optional<uint64_t> used_top_k;  // none: the model's own number
};

void add_live_model_options(Command command, LiveModelOptions& options);

// A model file that is about to be run: first only its head, after load() also its resident weights.
class LiveModel {
 public:
  // Reads the head alone. Fails on a model that cannot be run here, as far as the head shows that.
  static Result<std::unique_ptr<LiveModel>> open(const LiveModelOptions& options);

  const Gguf& gguf() const { return gguf_; }
  // Fails with the reason when the file's tokenizer cannot be used; the model then runs on token numbers.
  Result<const Tokenizer*> tokenizer() const;
  uint32_t vocabulary() const { return vocabulary_; }  // number of tokens
  // The number of tokens that the model was trained for; 0 where the file does not say.
  uint64_t trained_context() const;
  // What of the file was left out or taken otherwise than it says, a sentence each.
  const std::vector<std::string>& notes() const { return notes_; }
  const ModelGeometry& geometry() const { return geometry_; }
  std::string name() const;  // the name in the file's metadata, else the file name
  Isa isa() const { return isa_; }
  unsigned threads() const { return threads_; }

  // Allocates the memory for the resident weights without touching it.
  Result<void> reserve();
  const PageMemory& memory() const { return memory_; }

  // Returns the bytes of keys and values of `tokens` tokens, or the largest uint64_t if there are more.
  uint64_t context_bytes(uint32_t tokens) const;

  // Reads the resident weights into memory() and builds the model, with room for sequences
  // of `context` tokens.
  Result<void> load(uint32_t context);

  // Returns the name of a resident tensor with a value that is no finite number. Available after load().
  std::optional<std::string> find_damaged() const { return weights_->find_damaged(); }

  // Available after load().
  Model& model() { return *model_; }
  Engine& engine() { return *engine_; }

 private:
  LiveModel(Gguf gguf, GgufExperts experts, ModelGeometry geometry)
      : gguf_(std::move(gguf)), experts_(std::move(experts)), geometry_(std::move(geometry)) {}

  Result<void> take_vocabulary();

  Gguf gguf_;
  GgufExperts experts_;
  ModelGeometry geometry_;
  Result<Tokenizer> tokenizer_ = failed("no vocabulary was read");
  uint32_t vocabulary_ = 0;
  std::vector<std::string> notes_;
  KvType kv_ = KvType::f16;
  Isa isa_ = Isa::portable;
  unsigned threads_ = 1;
  PageMemory memory_;
  std::optional<ResidentWeights> weights_;
  std::optional<Model> model_;
  std::optional<Engine> engine_;
};

}  // namespace spillway
