#include "model/text/pretokenizer.h"

// utf8proc knows the Unicode 15 classes in one small C library without data files. ICU knows them too, but
// brings forty megabytes of other functions.
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/expects.h"
#include "model/text/utf8.h"

namespace spillway {
namespace {

// The kinds of characters that the regular expressions distinguish. A newline is whitespace as well.
enum class Kind : uint8_t { letter, number, newline, space, other, end };

struct Classified {
  Kind kind = Kind::end;
  size_t bytes = 0;
};

Kind kind_of_ascii(char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
    return Kind::letter;
  }
  if (c >= '0' && c <= '9') {
    return Kind::number;
  }
  if (c == '\n' || c == '\r') {
    return Kind::newline;
  }
  return c == ' ' || c == '\t' || c == '\v' || c == '\f' ? Kind::space : Kind::other;
}

Kind kind_of_code_point(utf8proc_int32_t code_point, bool marks_are_letters) {
  constexpr utf8proc_int32_t kNextLine = 0x85;  // a control character by category, whitespace by property
  if (code_point == kNextLine) {
    return Kind::space;
  }
  switch (utf8proc_category(code_point)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return Kind::letter;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
      return marks_are_letters ? Kind::letter : Kind::other;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return Kind::number;
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return Kind::space;
    default:
      return Kind::other;
  }
}

// Returns the length of `'s`, `'re` or a similar contraction at the start of `text`, or 0.
size_t contraction(std::string_view text, bool any_case) {
  constexpr std::array<std::string_view, 7> kEndings = {"s", "t", "re", "ve", "m", "ll", "d"};
  if (!text.starts_with('\'')) {
    return 0;
  }
  const auto same = [any_case](char written, char wanted) {
    const bool capital = any_case && written >= 'A' && written <= 'Z';
    return (capital ? char(written - 'A' + 'a') : written) == wanted;
  };
  for (const std::string_view ending : kEndings) {
    const std::string_view written = text.substr(1, ending.size());
    if (std::equal(written.begin(), written.end(), ending.begin(), ending.end(), same)) {
      return 1 + ending.size();
    }
  }
  return 0;
}

// Matches the alternatives of the regular expressions at the start of a text. Each function returns the end
// of its match, or 0 if it does not match.
class Matcher {
 public:
  Matcher(std::string_view text, bool marks_are_letters)
      : text_(text), marks_are_letters_(marks_are_letters) {}

  Classified at(size_t offset) const {
    if (offset >= text_.size()) {
      return {};
    }
    if (static_cast<unsigned char>(text_[offset]) < 0x80) {
      return {kind_of_ascii(text_[offset]), 1};
    }
    const Character character = first_character(text_.substr(offset));
    if (character.bytes == 0) {
      return {Kind::other, 1};
    }
    return {kind_of_code_point(static_cast<utf8proc_int32_t>(character.code), marks_are_letters_),
            character.bytes};
  }

  // Returns the end of the characters of `kind` that begin at `from`; `from` itself if there are none.
  size_t run(Kind kind, size_t from) const {
    for (Classified next = at(from); next.kind == kind; next = at(from)) {
      from += next.bytes;
    }
    return from;
  }

  // Matches letters, with an optional character before them that is neither a number nor the end of a line.
  size_t led_word() const {
    const Classified first = at(0);
    if (first.kind == Kind::letter) {
      return run(Kind::letter, 0);
    }
    if (first.kind == Kind::number || first.kind == Kind::newline) {
      return 0;
    }
    const size_t end = run(Kind::letter, first.bytes);
    return end > first.bytes ? end : 0;
  }

  size_t single_number() const { return at(0).kind == Kind::number ? at(0).bytes : 0; }

  // Matches an optional space, then one or more characters of `kind`.
  size_t spaced(Kind kind) const {
    const size_t start = text_.starts_with(' ') ? 1 : 0;
    const size_t end = run(kind, start);
    return end > start ? end : 0;
  }

  // Matches whitespace. With `lines`, the match ends after the last end of line, if there is one. Otherwise
  // it takes all whitespace but the last character, which is left to lead the following word. If nothing
  // follows, or there is only one whitespace character, it takes all.
  size_t whitespace(bool lines) const {
    size_t end = 0;
    size_t last = 0;
    size_t after_newline = 0;
    for (Classified next = at(0); next.kind == Kind::space || next.kind == Kind::newline; next = at(end)) {
      last = end;
      end += next.bytes;
      after_newline = next.kind == Kind::newline ? end : after_newline;
    }
    if (lines && after_newline > 0) {
      return after_newline;
    }
    return end == text_.size() || last == 0 ? end : last;
  }

 private:
  std::string_view text_;
  bool marks_are_letters_;
};

size_t first_qwen_piece(std::string_view text, bool marks_are_letters) {
  if (const size_t end = contraction(text, /*any_case=*/true)) {
    return end;
  }
  const Matcher match(text, marks_are_letters);
  if (const size_t end = match.led_word()) {
    return end;
  }
  if (const size_t end = match.single_number()) {
    return end;
  }
  if (const size_t end = match.spaced(Kind::other)) {
    return match.run(Kind::newline, end);
  }
  return match.whitespace(/*lines=*/true);
}

size_t first_gpt2_piece(std::string_view text) {
  if (const size_t end = contraction(text, /*any_case=*/false)) {
    return end;
  }
  const Matcher match(text, /*marks_are_letters=*/false);
  for (const Kind kind : {Kind::letter, Kind::number, Kind::other}) {
    if (const size_t end = match.spaced(kind)) {
      return end;
    }
  }
  return match.whitespace(/*lines=*/false);
}

}  // namespace

Result<PreTokenizer> find_pre_tokenizer(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, PreTokenizer>, 6> kKnown = {{
      {"qwen2", PreTokenizer::qwen2},
      {"deepseek-r1-qwen", PreTokenizer::qwen2},
      {"kormo", PreTokenizer::qwen2},
      {"qwen35", PreTokenizer::qwen35},
      {"olmo", PreTokenizer::gpt2},
      {"gpt-2", PreTokenizer::gpt2},
  }};
  std::string known;
  for (const auto& [its_name, pre_tokenizer] : kKnown) {
    if (its_name == name) {
      return pre_tokenizer;
    }
    known += (known.empty() ? "" : ", ") + std::string(its_name);
  }
  return failed("tokenizer.ggml.pre is '{}', which is not supported; use a model with one of: {}", name,
                known);
}

size_t first_piece(PreTokenizer how, std::string_view text) {
  Expects(!text.empty());
  const size_t bytes = how == PreTokenizer::gpt2 ? first_gpt2_piece(text)
                                                 : first_qwen_piece(text, how == PreTokenizer::qwen35);
  Ensures(bytes > 0 && bytes <= text.size());
  return bytes;
}

}  // namespace spillway
