// Asks llama.cpp about a text or tokens through its public C API. Built and called by run_llama.
//
//   llama_peer perplexity MODEL TEXT_FILE [N_CTX]
//       the perplexity by the method of llama.cpp's own tool
//   llama_peer continue MODEL PROMPT COUNT
//       the greedy continuation of a prompt
//   llama_peer answer MODEL TOKENS COUNT LOGITS
//       COUNT greedy tokens behind the given ones, and the experts that the routers chose for each of all
//       these; the logits go into the file LOGITS, f32 [position][vocabulary]
//   llama_peer tokenize MODEL <TEXTS
//       the tokens of each text; a text is a line of hexadecimal digits
//
// Each prints one JSON object.
//
// The program uses one thread, or LLAMA_PEER_THREADS threads; the figures are the same.
#include <ggml-backend.h>
#include <llama.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Tokens = std::vector<llama_token>;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "llama_peer: %s\n", why.c_str());
  std::exit(1);
}

struct Free {
  void operator()(llama_model* model) const { llama_model_free(model); }
  void operator()(llama_context* context) const { llama_free(context); }
};
using ModelPtr = std::unique_ptr<llama_model, Free>;

ModelPtr load(const char* path, bool vocabulary_only) {
  llama_model_params how = llama_model_default_params();
  how.n_gpu_layers = 0;
  how.use_extra_bufts = false;
  how.vocab_only = vocabulary_only;
  ModelPtr model(llama_model_load_from_file(path, how));
  if (!model) {
    give_up(std::string(path) + " cannot be loaded");
  }
  return model;
}

Tokens tokenize(const llama_vocab* vocab, std::string_view text, bool control_text_is_token) {
  Tokens tokens(text.size() + 8);
  const int32_t count = llama_tokenize(vocab, text.data(), int32_t(text.size()), tokens.data(),
                                       int32_t(tokens.size()), /*add_special=*/true, control_text_is_token);
  if (count < 0) {
    give_up("the text cannot be tokenized");
  }
  tokens.resize(size_t(count));
  return tokens;
}

// The experts that the routers choose: the nodes of llama.cpp's graph whose names are ffn_moe_topk-LAYER.
class Routers {
 public:
  static bool seen(ggml_tensor* node, bool only_asks, void* routers) {
    const int layer = layer_of(node->name);
    if (layer >= 0 && !only_asks) {
      static_cast<Routers*>(routers)->read(layer, *node);
    }
    return !only_asks || layer >= 0;
  }

  // [layer with a router] the experts of the last token, the likeliest first; forgets them.
  std::vector<std::vector<int32_t>> take() {
    std::vector<std::vector<int32_t>> list;
    for (auto& [layer, chosen] : chosen_) {
      list.push_back(std::move(chosen));
    }
    chosen_.clear();
    return list;
  }

 private:
  // -1 of other nodes, among them the copies of these, whose names go on.
  static int layer_of(std::string_view name) {
    constexpr std::string_view kName = "ffn_moe_topk-";
    if (!name.starts_with(kName)) {
      return -1;
    }
    name.remove_prefix(kName.size());
    const bool number = !name.empty() && name.find_first_not_of("0123456789") == std::string_view::npos;
    return number ? std::atoi(name.data()) : -1;
  }

  // The node of one token: its first values, of a longer row that has all experts in order.
  void read(int layer, const ggml_tensor& node) {
    std::vector<int32_t>& chosen = chosen_[layer];
    chosen.resize(size_t(node.ne[0]));
    ggml_backend_tensor_get(&node, chosen.data(), 0, chosen.size() * sizeof(int32_t));
  }

  std::map<int, std::vector<int32_t>> chosen_;
};

// A model and one sequence, with the settings under which engines can agree: F32 keys and values, no flash
// attention, weights as stored in the file.
class Peer {
 public:
  // `routers` hears of every token's, and slows the model down.
  Peer(const char* path, uint32_t context, Routers* routers = nullptr) {
    model_ = load(path, /*vocabulary_only=*/false);
    const char* wish = std::getenv("LLAMA_PEER_THREADS");
    llama_context_params with = llama_context_default_params();
    with.n_ctx = with.n_batch = with.n_ubatch = context;
    with.n_threads = with.n_threads_batch = wish == nullptr ? 1 : std::max(1, std::atoi(wish));
    with.type_k = with.type_v = GGML_TYPE_F32;
    with.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    if (routers != nullptr) {
      with.cb_eval = Routers::seen;
      with.cb_eval_user_data = routers;
    }
    context_.reset(llama_init_from_model(model_.get(), with));
    if (!context_) {
      give_up(std::string(path) + ": no context of " + std::to_string(context) + " tokens can be made");
    }
  }

  const llama_vocab* vocab() const { return llama_model_get_vocab(model_.get()); }
  size_t vocabulary() const { return size_t(llama_vocab_n_tokens(vocab())); }

  std::string text_of(std::span<const llama_token> tokens) const {
    std::string text(tokens.size() * 64 + 64, '\0');
    const int32_t bytes =
        llama_detokenize(vocab(), tokens.data(), int32_t(tokens.size()), text.data(), int32_t(text.size()),
                         /*remove_special=*/false, /*unparse_special=*/true);
    if (bytes < 0) {
      give_up("the tokens cannot be written as text");
    }
    text.resize(size_t(bytes));
    return text;
  }

  void forget() { llama_memory_clear(llama_get_memory(context_.get()), true); }

  // Computes all of `tokens` in one batch, starting at position `at`.
  void feed(std::span<const llama_token> tokens, size_t at) {
    llama_batch batch = llama_batch_init(int32_t(tokens.size()), 0, 1);
    batch.n_tokens = int32_t(tokens.size());
    for (size_t i = 0; i < tokens.size(); ++i) {
      batch.token[i] = tokens[i];
      batch.pos[i] = llama_pos(at + i);
      batch.n_seq_id[i] = 1;
      batch.seq_id[i][0] = 0;
      batch.logits[i] = 1;
    }
    const int32_t status = llama_decode(context_.get(), batch);
    llama_batch_free(batch);
    if (status != 0) {
      give_up("llama_decode returned " + std::to_string(status));
    }
  }

  // Returns the logits after token `index` of the last feed().
  std::span<const float> logits(size_t index) const {
    return {llama_get_logits_ith(context_.get(), int32_t(index)), vocabulary()};
  }

 private:
  ModelPtr model_;
  std::unique_ptr<llama_context, Free> context_;
};

// Returns −ln of the probability that `logits` give to `token`.
double surprise(std::span<const float> logits, llama_token token) {
  const double most = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) {
    sum += std::exp(logit - most);
  }
  return std::log(sum) + most - logits[size_t(token)];
}

std::string read_text(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    give_up(std::string(path) + " cannot be read");
  }
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  // Like llama.cpp's own tool, leaves out the end of the last line.
  if (!text.empty() && text.back() == '\n') {
    text.pop_back();
  }
  return text;
}

// Scores whole windows of n_ctx tokens, one after the other without overlap and each with an empty memory. A
// remainder at the end is not used. Only a window's second half is scored, so that every scored token has at
// least n_ctx/2 tokens before it: the logits at n_ctx/2 … n_ctx-2, against the tokens that follow them. If
// the tokenizer begins every text with a special token, that token replaces the first of each window.
int perplexity(const char* model, const char* path, size_t n_ctx) {
  Peer peer(model, uint32_t(n_ctx));
  const Tokens tokens = tokenize(peer.vocab(), read_text(path), false);
  const size_t windows = tokens.size() / n_ctx;
  if (windows < 2) {
    give_up(std::string(path) + " has " + std::to_string(tokens.size()) +
            " tokens; at least two windows are needed");
  }
  const bool adds_bos = llama_vocab_get_add_bos(peer.vocab());
  double sum = 0;
  double squares = 0;
  size_t scored = 0;
  for (size_t window = 0; window < windows; ++window) {
    Tokens part(tokens.begin() + ptrdiff_t(window * n_ctx), tokens.begin() + ptrdiff_t((window + 1) * n_ctx));
    if (adds_bos) {
      part[0] = llama_vocab_bos(peer.vocab());
    }
    peer.forget();
    peer.feed(part, 0);
    for (size_t i = n_ctx / 2; i + 1 < n_ctx; ++i) {
      const double nats = surprise(peer.logits(i), part[i + 1]);
      sum += nats;
      squares += nats * nats;
      ++scored;
    }
  }
  const double mean = sum / double(scored);
  const double variance = squares / double(scored) - mean * mean;
  const double value = std::exp(mean);
  const double error = value * std::sqrt(std::max(variance, 0.0) / double(scored - 1));
  std::printf(
      "{\"perplexity\": %.6f, \"standard_error\": %.6f, \"mean_nats\": %.9f, \"n_ctx\": %zu, \"stride\": "
      "%zu, "
      "\"windows\": %zu, \"tokens\": %zu, \"scored_tokens\": %zu, \"adds_bos\": %s}\n",
      value, error, mean, n_ctx, n_ctx, windows, tokens.size(), scored, adds_bos ? "true" : "false");
  return 0;
}

void print_list(std::span<const llama_token> values) {
  std::printf("[");
  for (size_t i = 0; i < values.size(); ++i) {
    std::printf("%s%d", i == 0 ? "" : ", ", values[i]);
  }
  std::printf("]");
}

void print_tokens(const char* key, std::span<const llama_token> tokens) {
  std::printf("\"%s\": ", key);
  print_list(tokens);
}

void print_text(const char* key, std::string_view text) {
  std::printf("\"%s\": \"", key);
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      std::printf("\\%c", c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::printf("\\u%04x", unsigned(c));
    } else {
      std::putchar(c);
    }
  }
  std::printf("\"");
}

llama_token likeliest(std::span<const float> logits) {
  return llama_token(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

// One token a step, the prompt's too, as a decoder that streams would do it. Ends early at an end of text.
int go_on(const char* model, const char* prompt, size_t count) {
  Peer peer(model, 4096);
  Tokens tokens = tokenize(peer.vocab(), prompt, false);
  const size_t given = tokens.size();
  if (given == 0 || given + count > 4096) {
    give_up("prompt and continuation must be 1 to 4096 tokens long");
  }
  for (size_t at = 0; at < tokens.size(); ++at) {
    peer.feed(std::span(tokens).subspan(at, 1), at);
    if (at + 1 < given || tokens.size() == given + count) {
      continue;
    }
    const llama_token best = likeliest(peer.logits(0));
    if (llama_vocab_is_eog(peer.vocab(), best)) {
      break;
    }
    tokens.push_back(best);
  }
  const std::span<const llama_token> all(tokens);
  std::printf("{");
  print_tokens("prompt_tokens", all.first(given));
  std::printf(", ");
  print_tokens("tokens", all.subspan(given));
  std::printf(", ");
  print_text("text", peer.text_of(all.subspan(given)));
  std::printf("}\n");
  return 0;
}

Tokens tokens_of(const char* list) {
  Tokens tokens;
  std::istringstream in(list);
  for (std::string token; std::getline(in, token, ',');) {
    tokens.push_back(std::atoi(token.c_str()));
  }
  return tokens;
}

// One token a step, as go_on() does it, and no end of text ends it.
int answer(const char* model, const char* list, size_t count, const char* path) {
  Tokens tokens = tokens_of(list);
  const size_t given = tokens.size();
  if (given == 0 || given + count > 4096) {
    give_up("the tokens and those asked for must be 1 to 4096 together");
  }
  Routers routers;
  Peer peer(model, 4096, &routers);
  std::ofstream values(path, std::ios::binary);
  std::vector<std::vector<std::vector<int32_t>>> choices;
  for (size_t at = 0; at < tokens.size(); ++at) {
    peer.feed(std::span(tokens).subspan(at, 1), at);
    choices.push_back(routers.take());
    const std::span<const float> logits = peer.logits(0);
    values.write(reinterpret_cast<const char*>(logits.data()), std::streamsize(logits.size_bytes()));
    if (at + 1 == tokens.size() && tokens.size() < given + count) {
      tokens.push_back(likeliest(logits));
    }
  }
  values.close();
  if (!values) {
    give_up(std::string(path) + " cannot be written");
  }
  std::printf("{\"vocabulary\": %zu, \"given\": %zu,\n", peer.vocabulary(), given);
  print_tokens("tokens", tokens);
  std::printf(",\n\"choices\": [");
  for (size_t at = 0; at < choices.size(); ++at) {
    std::printf("%s\n[", at == 0 ? "" : ",");
    for (size_t layer = 0; layer < choices[at].size(); ++layer) {
      std::printf("%s", layer == 0 ? "" : ", ");
      print_list(choices[at][layer]);
    }
    std::printf("]");
  }
  std::printf("]}\n");
  return 0;
}

std::string bytes_of(std::string_view digits) {
  std::string bytes;
  for (size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes += char(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

int tokenize_texts(const char* path) {
  const ModelPtr model = load(path, /*vocabulary_only=*/true);
  const llama_vocab* vocab = llama_model_get_vocab(model.get());
  std::vector<std::string> texts;
  for (std::string line; std::getline(std::cin, line);) {
    texts.push_back(bytes_of(line));
  }
  std::printf("{");
  for (const bool special : {false, true}) {
    std::printf("%s\"%s\": [", special ? "],\n" : "", special ? "ids_special" : "ids");
    for (size_t i = 0; i < texts.size(); ++i) {
      std::printf("%s\n", i == 0 ? "" : ",");
      print_list(tokenize(vocab, texts[i], special));
    }
  }
  std::printf("]}\n");
  return 0;
}

int usage() {
  std::fputs(
      "usage: llama_peer perplexity MODEL TEXT_FILE [N_CTX] | continue MODEL PROMPT COUNT |\n"
      "                  answer MODEL TOKENS COUNT LOGITS | tokenize MODEL <TEXTS\n",
      stderr);
  return 2;
}

size_t number_of(const char* text) {
  const long number = std::atol(text);
  if (number < 4 || number > 4096) {
    give_up("N_CTX and COUNT are from 4 to 4096");
  }
  return size_t(number);
}

}  // namespace

int main(int argc, char** argv) {
  const char* backends = std::getenv("ORACLE_BACKENDS");
  if (backends == nullptr) {
    std::fputs("llama_peer: ORACLE_BACKENDS must name the folder of libggml-cpu-*.so\n", stderr);
    return 2;
  }
  const auto complain = [](ggml_log_level level, const char* text, void*) {
    if (level == GGML_LOG_LEVEL_ERROR) {
      std::fputs(text, stderr);
    }
  };
  llama_log_set(complain, nullptr);
  ggml_backend_load_all_from_path(backends);
  llama_backend_init();
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode == "perplexity" && (argc == 4 || argc == 5)) {
    return perplexity(argv[2], argv[3], argc == 5 ? number_of(argv[4]) : 512);
  }
  if (mode == "continue" && argc == 5) {
    return go_on(argv[2], argv[3], number_of(argv[4]));
  }
  if (mode == "answer" && argc == 6) {
    return answer(argv[2], argv[3], number_of(argv[4]), argv[5]);
  }
  return mode == "tokenize" && argc == 3 ? tokenize_texts(argv[2]) : usage();
}
