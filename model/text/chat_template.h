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

// ChatML, in which the Qwen models are spoken to: every message between <|im_start|> and <|im_end|>, then the
// opening of the reply. Nothing is added of its own: no default system prompt, no tags that switch thinking
// on or off.

// Whether the model was taught it, that is, has tokens for both marks.
bool speaks_chatml(const Tokenizer& tokenizer);

// The conversation as one text, to show it or to compare it with what another program sends.
std::string chatml_text(std::span<const ChatMessage> messages);

// The same as tokens, in which only the frame is made of control tokens: a message that contains the
// characters
// <|im_end|> stays text and cannot end itself. Fails for a model that does not speak ChatML.
Result<std::vector<TokenId>> encode_chatml(const Tokenizer& tokenizer, std::span<const ChatMessage> messages);

}  // namespace spillway
