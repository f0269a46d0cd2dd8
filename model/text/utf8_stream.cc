#include "model/text/utf8_stream.h"

#include <algorithm>
#include <cstddef>

#include "model/text/utf8.h"

namespace spillway {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

}  // namespace

std::string Utf8Stream::push(std::string_view bytes) {
  held_ += bytes;
  std::string whole;
  std::string_view rest = held_;
  while (!rest.empty()) {
    size_t count = first_character(rest).bytes;
    if (count != 0) {
      whole += rest.substr(0, count);
    } else {
      count = begun_bytes(rest);
      if (count == rest.size()) {
        break;
      }
      whole += kReplacement;
    }
    rest.remove_prefix(std::max<size_t>(count, 1));
  }
  held_.erase(0, held_.size() - rest.size());
  return whole;
}

std::string Utf8Stream::finish() {
  std::string last(held_.empty() ? std::string_view() : kReplacement);
  held_.clear();
  return last;
}

}  // namespace spillway
