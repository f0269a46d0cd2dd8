#include "sim/plan/bits.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <sstream>
#include <utility>
#include <vector>

#include "core/options.h"

namespace spillway::plan {
namespace {

using Field = std::pair<const char*, double BitWidths::*>;

constexpr std::array<Field, 9> kFields = {{{"experts", &BitWidths::expert},
                                           {"scales", &BitWidths::expert_resident},
                                           {"mixer", &BitWidths::mixer},
                                           {"shared", &BitWidths::shared_ffn},
                                           {"router", &BitWidths::router},
                                           {"embedding", &BitWidths::embedding},
                                           {"head", &BitWidths::head},
                                           {"kv", &BitWidths::kv},
                                           {"state", &BitWidths::state}}};

// Returns the bits that a weight takes with the scale and the offset of a group of 64.
double stored(uint32_t bits) {
  return bits >= 16 ? 16 : bits + 0.5;
}

Result<double> width_of(const std::string& key, const std::string& text) {
  double width = 0;
  if (Result<void> read = read_option(text, width); !read || width > 32) {
    return wrong_usage("'{}={}': a width must be a number of bits from 0 to 32", key, text);
  }
  return width;
}

Result<void> set(BitWidths& bits, const std::string& key, double width) {
  if (key == "rest") {
    bits.set_rest(width);
    return {};
  }
  const auto field =
      std::find_if(kFields.begin(), kFields.end(), [&](const Field& f) { return f.first == key; });
  if (field == kFields.end()) {
    return wrong_usage(
        "'{}' is not a name of a width; names are experts, scales, rest, mixer, shared, router, embedding, "
        "head, "
        "kv, state",
        key);
  }
  bits.*(field->second) = width;
  return {};
}

}  // namespace

void BitWidths::set_rest(double bits) {
  mixer = shared_ffn = router = embedding = head = bits;
}

Result<BitWidths> named_bits(uint32_t bits) {
  if ((bits < 2 || bits > 8) && bits != 16) {
    return wrong_usage(
        "{} bits are not supported; give 2 to 8, or 16, or widths by name: experts=2.5,rest=4.5", bits);
  }
  BitWidths widths;
  widths.expert = stored(bits);
  widths.set_rest(stored(std::max(bits, 4U)));
  return widths;
}

Result<BitWidths> parse_bits(const std::string& text) {
  BitWidths bits;
  bool first = true;
  std::istringstream pieces(text);
  for (std::string piece; std::getline(pieces, piece, ',');) {
    const size_t equals = piece.find('=');
    if (equals == std::string::npos) {
      uint64_t number = 0;
      if (Result<void> read = read_option(piece, number); !read || !first || number > 16) {
        return wrong_usage(
            "'{}' is not a bit width; give 2 to 8, or 16, or widths by name: experts=2.5,rest=4.5", text);
      }
      Result<BitWidths> named = named_bits(uint32_t(number));
      if (!named) {
        return named;
      }
      bits = *named;
    } else {
      const std::string key = piece.substr(0, equals);
      Result<double> width = width_of(key, piece.substr(equals + 1));
      if (!width) {
        return propagate(width);
      }
      if (Result<void> done = set(bits, key, *width); !done) {
        return propagate(done);
      }
    }
    first = false;
  }
  if (first || bits.expert <= 0 || bits.expert_resident > bits.expert) {
    return wrong_usage(
        "'{}': give the experts a width above 0 that is not below the width of their resident scales", text);
  }
  return bits;
}

std::string describe_bits(const BitWidths& bits) {
  std::string text = fmt::format("experts {:.4g} bits a weight", bits.expert);
  if (bits.expert_resident > 0) {
    text += fmt::format(" ({:.4g} of them resident)", bits.expert_resident);
  }
  const std::array<double, 5> rest = {bits.mixer, bits.shared_ffn, bits.router, bits.embedding, bits.head};
  if (std::all_of(rest.begin(), rest.end(), [&](double width) { return width == rest[0]; })) {
    return text + fmt::format(", the rest {:.4g}", rest[0]);
  }
  return text + fmt::format(", attention {:.4g}, shared {:.4g}, router {:.4g}, embedding {:.4g}, head {:.4g}",
                            rest[0], rest[1], rest[2], rest[3], rest[4]);
}

}  // namespace spillway::plan
