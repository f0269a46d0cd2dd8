#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "model/text/tokenizer.h"

namespace spillway {

enum class ChatRole : uint8_t { system, user, assistant };

struct ChatMessage {
  ChatRole role = ChatRole::user;
  std::string text;
};

// ChatML, the chat format of the Qwen models: every message stands between <|im_start|> and
// <|im_end|>, then the reply is opened. Nothing else is added: no default system prompt, no tags that
// switch thinking on or off.

// Returns whether the model was trained on ChatML, that is, has tokens for both marks.
bool speaks_chatml(const Tokenizer& tokenizer);

// Returns the conversation as one text, to show it or to compare it with what another program sends.
std::string chatml_text(std::span<const ChatMessage> messages);

// Returns the conversation as tokens. Only the frame is made of control tokens: a message that contains the
// characters <|im_end|> stays text and cannot end itself. Fails for a model that does not speak ChatML.
Result<std::vector<TokenId>> encode_chatml(const Tokenizer& tokenizer, std::span<const ChatMessage> messages);

}  // namespace spillway
