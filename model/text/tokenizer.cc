#include "model/text/tokenizer.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/expects.h"
#include "model/text/utf8.h"

namespace spillway {
namespace {

// The texts of tokens that end a reply, whatever their ids and whether or not the file marks them: files name
// one such token, models use several.
constexpr std::array<std::string_view, 9> kEndTexts = {
    "<|im_end|>", "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>",   "<|eom_id|>",
    "<|end|>",    "<|fim_pad|>",   "<|repo_name|>",   "<|file_sep|>",
};

// The alphabet of token texts has 256 printable characters, one for each byte. Bytes that are printable in
// Latin-1 stand for themselves; the others follow from U+0100 on, in order.
constexpr bool prints_as_itself(unsigned byte) {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

constexpr unsigned kBeyondAlphabet = 0x144;

struct ByteAlphabet {
  std::array<uint16_t, 256> character_of{};
  std::array<int16_t, kBeyondAlphabet> byte_of{};  // -1 for a character that stands for no byte

  constexpr ByteAlphabet() {
    byte_of.fill(-1);
    uint16_t next = 0x100;
    for (unsigned byte = 0; byte < 256; ++byte) {
      const uint16_t character = prints_as_itself(byte) ? uint16_t(byte) : next++;
      character_of[byte] = character;
      byte_of[character] = int16_t(byte);
    }
  }
};

constexpr ByteAlphabet kAlphabet;

std::string text_of_byte(unsigned byte) {
  std::string text;
  append_character(kAlphabet.character_of[byte], text);
  return text;
}

// Appends the bytes that `text` spells. Returns false and leaves `out` unchanged when a
// character is not in the alphabet.
bool append_spelled_bytes(std::string_view text, std::string& out) {
  const size_t before = out.size();
  while (!text.empty()) {
    const Character character = first_character(text);
    if (character.bytes == 0 || character.code >= kBeyondAlphabet || kAlphabet.byte_of[character.code] < 0) {
      out.resize(before);
      return false;
    }
    out += char(kAlphabet.byte_of[character.code]);
    text.remove_prefix(character.bytes);
  }
  return true;
}

// Returns whether a token's text stands in the file unchanged, as those of control and user-defined tokens
// do. All other texts are spelled byte by byte.
bool is_written_plainly(TokenType type) {
  return type == TokenType::control || type == TokenType::user_defined || type == TokenType::unknown;
}

}  // namespace

// A part of the text to encode: plain text, or a token found in it.
struct Tokenizer::Fragment {
  std::string_view text;
  TokenId token = kNoToken;
};

// ---- building ----

class TokenizerBuilder {
 public:
  explicit TokenizerBuilder(const Vocabulary& vocabulary) : vocabulary_(vocabulary) {}

  Result<Tokenizer> build() {
    Result<PreTokenizer> pre_tokenizer = find_pre_tokenizer(vocabulary_.pre);
    if (!pre_tokenizer) {
      return propagate(pre_tokenizer);
    }
    made_.pre_tokenizer_ = *pre_tokenizer;
    for (Result<void> (TokenizerBuilder::*const part)() :
         {&TokenizerBuilder::check_sizes, &TokenizerBuilder::add_tokens, &TokenizerBuilder::add_merges,
          &TokenizerBuilder::add_ends}) {
      if (Result<void> done = (this->*part)(); !done) {
        return propagate(done);
      }
    }
    add_byte_tokens();
    add_specials();
    return std::move(made_);
  }

 private:
  Result<void> check_sizes() {
    const size_t tokens = vocabulary_.tokens.size();
    if (tokens == 0 || tokens > size_t{std::numeric_limits<TokenId>::max()}) {
      return failed("tokenizer.ggml.tokens has {} entries: not a vocabulary", tokens);
    }
    if (vocabulary_.types.size() != tokens) {
      return failed("tokenizer.ggml.token_type has {} entries for the {} of tokenizer.ggml.tokens",
                    vocabulary_.types.size(), tokens);
    }
    if (vocabulary_.merges.size() > std::numeric_limits<uint32_t>::max()) {
      return failed("tokenizer.ggml.merges has {} entries; at most {} are supported",
                    vocabulary_.merges.size(), std::numeric_limits<uint32_t>::max());
    }
    return {};
  }

  Result<void> add_tokens() {
    by_text_.reserve(vocabulary_.tokens.size());
    for (size_t id = 0; id < vocabulary_.tokens.size(); ++id) {
      const std::string_view text = vocabulary_.tokens[id];
      const int32_t type = vocabulary_.types[id];
      if (type < int32_t(TokenType::normal) || type > int32_t(TokenType::byte)) {
        return failed("tokenizer.ggml.token_type[{}] is {}; 1 to 6 are known", id, type);
      }
      const auto [same, is_new] = by_text_.emplace(text, TokenId(id));
      if (!is_new) {
        return failed("tokenizer.ggml.tokens[{}] is the same text as [{}]", id, same->second);
      }
      made_.types_.push_back(TokenType(type));
      made_.start_.push_back(made_.bytes_.size());
      // A normal token may have a text outside the alphabet; that text is then what the token prints.
      if (is_written_plainly(TokenType(type)) || !append_spelled_bytes(text, made_.bytes_)) {
        made_.bytes_ += text;
      }
    }
    made_.start_.push_back(made_.bytes_.size());
    return {};
  }

  Result<void> add_merges() {
    made_.merges_.reserve(vocabulary_.merges.size());
    std::string joined;
    for (size_t rank = 0; rank < vocabulary_.merges.size(); ++rank) {
      const std::string_view merge = vocabulary_.merges[rank];
      const size_t space = merge.find(' ', 1);
      if (space == std::string_view::npos || space + 1 == merge.size()) {
        return failed("tokenizer.ggml.merges[{}] is not two tokens with a space between", rank);
      }
      joined.assign(merge.substr(0, space)).append(merge.substr(space + 1));
      const std::optional<TokenId> left = find(merge.substr(0, space));
      const std::optional<TokenId> right = find(merge.substr(space + 1));
      const std::optional<TokenId> merged = find(joined);
      if (!left || !right || !merged) {
        return failed("tokenizer.ggml.merges[{}]: the {} is not in tokenizer.ggml.tokens", rank,
                      !left    ? "left side"
                      : !right ? "right side"
                               : "result");
      }
      if (!made_.merges_.add(*left, *right, {uint32_t(rank), *merged})) {
        return failed("tokenizer.ggml.merges[{}] appears twice", rank);
      }
    }
    return {};
  }

  Result<void> add_ends() {
    made_.ends_generation_.assign(vocabulary_.tokens.size(), false);
    const std::array<std::pair<std::string_view, std::optional<uint32_t>>, 4> named = {
        {{"bos", vocabulary_.bos},
         {"eos", vocabulary_.eos},
         {"eot", vocabulary_.eot},
         {"eom", vocabulary_.eom}}};
    for (const auto& [name, id] : named) {
      if (!id) {
        continue;
      }
      if (*id >= vocabulary_.tokens.size()) {
        return failed("tokenizer.ggml.{}_token_id is {}, but there are {} tokens", name, *id,
                      vocabulary_.tokens.size());
      }
      if (name != "bos") {
        made_.ends_generation_[*id] = true;
      }
    }
    for (const std::string_view text : kEndTexts) {
      if (const std::optional<TokenId> id = find(text)) {
        made_.ends_generation_[size_t(*id)] = true;
      }
    }
    if (vocabulary_.add_bos && !vocabulary_.bos) {
      return failed("tokenizer.ggml.add_bos_token is set, but tokenizer.ggml.bos_token_id is missing");
    }
    made_.opening_ = vocabulary_.add_bos ? std::optional<TokenId>(TokenId(*vocabulary_.bos)) : std::nullopt;
    return {};
  }

  void add_byte_tokens() {
    for (unsigned byte = 0; byte < 256; ++byte) {
      made_.byte_tokens_[byte] = find(text_of_byte(byte)).value_or(kNoToken);
    }
  }

  void add_specials() {
    for (size_t id = 0; id < made_.types_.size(); ++id) {
      const TokenType type = made_.types_[id];
      if (is_written_plainly(type) && !vocabulary_.tokens[id].empty()) {
        made_.specials_.push_back({TokenId(id), type != TokenType::user_defined});
      }
    }
    std::stable_sort(made_.specials_.begin(), made_.specials_.end(),
                     [this](const Tokenizer::Special& a, const Tokenizer::Special& b) {
                       return made_.token_bytes(a.id).size() > made_.token_bytes(b.id).size();
                     });
  }

  std::optional<TokenId> find(std::string_view text) const {
    const auto found = by_text_.find(text);
    return found == by_text_.end() ? std::nullopt : std::optional<TokenId>(found->second);
  }

  const Vocabulary& vocabulary_;
  Tokenizer made_;
  std::unordered_map<std::string_view, TokenId> by_text_;
};

Result<Tokenizer> Tokenizer::make(const Vocabulary& vocabulary) {
  return TokenizerBuilder(vocabulary).build();
}

// ---- encoding ----

Result<std::vector<TokenId>> Tokenizer::encode(std::string_view text, ControlText control) const {
  if (text.size() >= std::numeric_limits<uint32_t>::max()) {
    return failed("a text of {} bytes is too long to encode in one piece; the limit is 4 GiB", text.size());
  }
  std::vector<TokenId> ids;
  PairMerger merger(merges_);
  for (const Fragment& fragment : split_at_specials(text, control)) {
    if (fragment.token != kNoToken) {
      ids.push_back(fragment.token);
      continue;
    }
    const size_t offset = size_t(fragment.text.data() - text.data());
    if (Result<void> done = encode_plain(fragment.text, offset, merger, ids); !done) {
      return propagate(done);
    }
  }
  return ids;
}

// Splits `text` at its special tokens. The longest one is searched for first, over the whole text: a shorter
// one never gets a part of a longer one, even if it begins further left.
std::vector<Tokenizer::Fragment> Tokenizer::split_at_specials(std::string_view text,
                                                              ControlText control) const {
  std::vector<Fragment> fragments = {{text, kNoToken}};
  std::vector<Fragment> finer;
  for (const Special& special : specials_) {
    if (special.is_control && control == ControlText::is_text) {
      continue;
    }
    const std::string_view wanted = token_bytes(special.id);
    if (text.find(wanted) == std::string_view::npos) {
      continue;
    }
    finer.clear();
    for (const Fragment& fragment : fragments) {
      std::string_view rest = fragment.text;
      if (fragment.token != kNoToken) {
        finer.push_back(fragment);
        continue;
      }
      for (size_t at = rest.find(wanted); at != std::string_view::npos; at = rest.find(wanted)) {
        finer.push_back({rest.substr(0, at), kNoToken});
        finer.push_back({rest.substr(at, wanted.size()), special.id});
        rest.remove_prefix(at + wanted.size());
      }
      finer.push_back({rest, kNoToken});
    }
    fragments.swap(finer);
  }
  return fragments;
}

// Encodes text without special tokens. `offset` is the place of `text` in the caller's
// text, for the error message.
Result<void> Tokenizer::encode_plain(std::string_view text, size_t offset, PairMerger& merger,
                                     std::vector<TokenId>& out) const {
  while (!text.empty()) {
    const size_t bytes = first_piece(pre_tokenizer_, text);
    for (size_t i = 0; i < bytes; ++i) {
      const TokenId id = byte_tokens_[static_cast<unsigned char>(text[i])];
      if (id == kNoToken) {
        return failed("the model has no token for the byte 0x{:02x} at offset {} of the text; leave it out",
                      static_cast<unsigned char>(text[i]), offset + i);
      }
      merger.add(id);
    }
    merger.finish(out);
    text.remove_prefix(bytes);
    offset += bytes;
  }
  return {};
}

// ---- decoding ----

std::string_view Tokenizer::token_bytes(TokenId id) const {
  Expects(id >= 0 && size_t(id) < size());
  const size_t start = start_[size_t(id)];
  return std::string_view(bytes_).substr(start, start_[size_t(id) + 1] - start);
}

bool Tokenizer::is_control(TokenId id) const {
  Expects(id >= 0 && size_t(id) < size());
  const TokenType type = types_[size_t(id)];
  return type == TokenType::control || type == TokenType::unknown;
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool with_control) const {
  std::string text;
  for (const TokenId id : ids) {
    if (with_control || !is_control(id)) {
      text += token_bytes(id);
    }
  }
  return text;
}

bool Tokenizer::ends_generation(TokenId id) const {
  Expects(id >= 0 && size_t(id) < size());
  return ends_generation_[size_t(id)];
}

std::optional<TokenId> Tokenizer::find_special(std::string_view text) const {
  for (const Special& special : specials_) {
    if (token_bytes(special.id) == text) {
      return special.id;
    }
  }
  return std::nullopt;
}

}  // namespace spillway
