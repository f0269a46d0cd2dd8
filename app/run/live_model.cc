#include "app/run/live_model.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

#include "app/run/open_store.h"
#include "host/linux/cgroup.h"
#include "host/linux/cpu_share.h"
#include "model/gguf/foreign_tensors.h"

namespace spillway {

void add_live_model_options(Command command, LiveModelOptions& options) {
  command.text("--model", options.model, "The GGUF to run; the first file of a split one")
      .required()
      .type_name("FILE");
  command
      .paths("--store", options.store,
             "Read the experts from this packed store (see: spillway pack) instead of the model file")
      .type_name("FILE");
  command.count("--threads", {.least = 1, .most = 1024}, options.threads,
                "Threads to compute with (default: one for each core that this process may use)");
  command.text("--kv", options.kv, "Number format of the keys and values of the context")
      .one_of({"f16", "f32"})
      .show_default();
  command.count("--experts-per-token", {.least = 1, .most = 1U << 16}, options.used_top_k,
                "Use only the K best experts of each layer (default: as many as the model was trained with)");
}

Result<std::unique_ptr<LiveModel>> LiveModel::open(const LiveModelOptions& options) {
  const char* asked = std::getenv("SPILLWAY_ISA");
  Result<Isa> isa = choose_isa(asked == nullptr ? "" : asked);
  if (!isa) {
    return propagate(isa);
  }
  Result<OpenGguf> file = open_gguf(options.model);
  if (!file) {
    return propagate(file);
  }
  if (options.used_top_k) {
    if (*options.used_top_k > file->geometry.experts_per_layer) {
      return wrong_usage("--experts-per-token {}: {} has {} experts in a layer", *options.used_top_k,
                         options.model, file->geometry.experts_per_layer);
    }
    file->geometry.used_top_k = uint32_t(*options.used_top_k);
  }
  std::unique_ptr<LiveModel> live(
      new LiveModel(std::move(file->gguf), std::move(file->experts), std::move(file->geometry)));
  if (std::string left_out = describe_left_out(live->gguf_, live->geometry_.layers); !left_out.empty()) {
    live->notes_.push_back(std::move(left_out));
  }
  if (Result<void> taken = live->take_vocabulary(); !taken) {
    return propagate(taken);
  }
  live->kv_ = options.kv == "f32" ? KvType::f32 : KvType::f16;
  live->isa_ = *isa;
  live->threads_ = options.threads > 0 ? options.threads : usable_threads();
  return live;
}

Result<void> LiveModel::take_vocabulary() {
  const GgufTensor* embedding = gguf_.find("token_embd.weight");
  if (embedding == nullptr || embedding->dims[1] > uint64_t(std::numeric_limits<int32_t>::max())) {
    return failed("{}: tensor token_embd.weight is missing or impossibly large", gguf_.path());
  }
  vocabulary_ = uint32_t(embedding->dims[1]);
  Result<Vocabulary> vocabulary = read_vocabulary(gguf_.metadata());
  if (!vocabulary) {
    tokenizer_ = propagate(vocabulary);
    return {};
  }
  notes_.insert(notes_.end(), vocabulary->notes.begin(), vocabulary->notes.end());
  tokenizer_ = Tokenizer::make(*vocabulary);
  return {};
}

Result<const Tokenizer*> LiveModel::tokenizer() const {
  if (!tokenizer_) {
    return failed("{}: {}; with --token-ids the model runs without its tokenizer", gguf_.path(),
                  tokenizer_.error().message);
  }
  if (tokenizer_->size() != vocabulary_) {
    return failed("{}: token_embd has {} rows and the tokenizer {} tokens; the file contradicts itself",
                  gguf_.path(), vocabulary_, tokenizer_->size());
  }
  return &*tokenizer_;
}

uint64_t LiveModel::trained_context() const {
  const Result<std::string> key = gguf_.metadata().arch_key("context_length");
  return key ? gguf_.metadata().integer<uint64_t>(*key, 0).value_or(0) : 0;
}

std::string LiveModel::name() const {
  if (const Result<std::string_view> name = gguf_.metadata().text("general.name"); name && !name->empty()) {
    return std::string(*name);
  }
  const std::string& path = gguf_.path();
  return path.substr(path.find_last_of('/') + 1);
}

Result<void> LiveModel::reserve() {
  const uint64_t bytes = ResidentWeights::bytes_needed(gguf_, geometry_.layers);
  const std::optional<uint64_t> reach = memory_within_reach();
  if (reach && bytes > *reach) {
    return failed(
        "{}: the resident weights need {} of memory, and {} are available; quantize them to fewer bits",
        gguf_.path(), format_bytes(bytes), format_bytes(*reach));
  }
  Result<PageMemory> memory = PageMemory::allocate(std::max<uint64_t>(bytes, 1), std::nullopt);
  if (!memory) {
    return propagate(memory);
  }
  memory_ = std::move(*memory);
  return {};
}

uint64_t LiveModel::context_bytes(uint32_t tokens) const {
  constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();
  const uint64_t each = kv_bytes_per_token(gguf_, geometry_.layers, kv_);
  return tokens > 0 && each > kMost / tokens ? kMost : each * tokens;
}

Result<void> LiveModel::load(uint32_t context) {
  Result<ResidentWeights> weights = ResidentWeights::load(gguf_, geometry_.layers, memory_.bytes());
  if (!weights) {
    return propagate(weights);
  }
  weights_.emplace(std::move(*weights));
  Result<Model> model = build_model(gguf_, experts_, *weights_, {.context = context, .kv = kv_});
  if (!model) {
    return propagate(model);
  }
  model_.emplace(std::move(*model));
  model_->geometry = geometry_;
  engine_.emplace(isa_, threads_);
  return {};
}

}  // namespace spillway
