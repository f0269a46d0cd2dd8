#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

namespace spillway {

// Says, while the object exists, that `bytes` bytes from `begin` are those of the file `path`. If a page of
// them cannot be delivered, the signal that ends the process comes with an address alone.
class MappedName {
 public:
  MappedName(const void* begin, uint64_t bytes, std::string path);
  MappedName(MappedName&& other) noexcept;
  MappedName& operator=(MappedName&&) = delete;
  ~MappedName();

 private:
  std::atomic<bool>* wanted_ = nullptr;
};

// The file that lies at an address, and the offset there.
struct MappedPlace {
  const std::string* path = nullptr;
  uint64_t offset = 0;
};

// Returns nothing if no MappedName covers `address`. Async-signal-safe.
std::optional<MappedPlace> mapped_at(const void* address);

}  // namespace spillway
