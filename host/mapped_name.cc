#include "host/mapped_name.h"

#include <utility>

#include "host/signal_list.h"

namespace spillway {
namespace {

struct Mapping {
  uintptr_t begin = 0;
  uint64_t bytes = 0;
  std::string path;
};

constinit SignalList<Mapping> mappings;

}  // namespace

MappedName::MappedName(const void* begin, uint64_t bytes, std::string path)
    : wanted_(&mappings.add({reinterpret_cast<uintptr_t>(begin), bytes, std::move(path)})->wanted) {}

MappedName::MappedName(MappedName&& other) noexcept : wanted_(std::exchange(other.wanted_, nullptr)) {}

MappedName::~MappedName() {
  if (wanted_ != nullptr) {
    *wanted_ = false;
  }
}

std::optional<MappedPlace> mapped_at(const void* address) {
  const auto at = reinterpret_cast<uintptr_t>(address);
  std::optional<MappedPlace> found;
  mappings.each([&](const Mapping& mapping) {
    if (at >= mapping.begin && at - mapping.begin < mapping.bytes && !found) {
      found = MappedPlace{&mapping.path, at - mapping.begin};
    }
  });
  return found;
}

}  // namespace spillway
