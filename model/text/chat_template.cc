#include "model/text/chat_template.h"

#include <optional>
#include <string_view>

namespace spillway {
namespace {

constexpr std::string_view kStart = "<|im_start|>";
constexpr std::string_view kEnd = "<|im_end|>";
constexpr std::string_view kReplyHead = "assistant\n";

std::string_view role_name(ChatRole role) {
  switch (role) {
    case ChatRole::system:
      return "system";
    case ChatRole::user:
      return "user";
    case ChatRole::assistant:
      return "assistant";
  }
  return "";
}

// Returns the text between the two marks of a message.
std::string body(const ChatMessage& message) {
  return fmt::format("{}\n{}", role_name(message.role), message.text);
}

Result<void> append_text(const Tokenizer& tokenizer, std::string_view text, std::vector<TokenId>& ids) {
  Result<std::vector<TokenId>> encoded = tokenizer.encode(text);
  if (!encoded) {
    return propagate(encoded);
  }
  ids.insert(ids.end(), encoded->begin(), encoded->end());
  return {};
}

}  // namespace

bool speaks_chatml(const Tokenizer& tokenizer) {
  return tokenizer.find_special(kStart).has_value() && tokenizer.find_special(kEnd).has_value();
}

std::string chatml_text(std::span<const ChatMessage> messages) {
  std::string text;
  for (const ChatMessage& message : messages) {
    text.append(kStart).append(body(message)).append(kEnd).append("\n");
  }
  return text.append(kStart).append(kReplyHead);
}

Result<std::vector<TokenId>> encode_chatml(const Tokenizer& tokenizer,
                                           std::span<const ChatMessage> messages) {
  const std::optional<TokenId> start = tokenizer.find_special(kStart);
  const std::optional<TokenId> end = tokenizer.find_special(kEnd);
  if (!start || !end) {
    return failed("the model has no token {}, so it does not speak ChatML; prompt it with plain text",
                  start ? kEnd : kStart);
  }
  std::vector<TokenId> ids;
  if (const std::optional<TokenId> opening = tokenizer.opening()) {
    ids.push_back(*opening);
  }
  for (const ChatMessage& message : messages) {
    ids.push_back(*start);
    if (Result<void> done = append_text(tokenizer, body(message), ids); !done) {
      return propagate(done);
    }
    ids.push_back(*end);
    if (Result<void> done = append_text(tokenizer, "\n", ids); !done) {
      return propagate(done);
    }
  }
  ids.push_back(*start);
  if (Result<void> done = append_text(tokenizer, kReplyHead, ids); !done) {
    return propagate(done);
  }
  return ids;
}

}  // namespace spillway
