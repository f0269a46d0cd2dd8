#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "core/expects.h"
#include "traces/reader.h"

// libFuzzer target. Random bytes never get past a checksum, so the input can also be the JSON header and
// the payloads of blocks whose heads and checksums are right. The first byte is 0 for a plain file.
// Otherwise bytes 1 and 2 are the length of a header, and each payload follows its own 2-byte length and
// 1-byte step count.
namespace {

using spillway::Buffer;

Buffer with_right_checksums(std::span<const uint8_t> input) {
  const auto take = [&](size_t count) {
    const std::span<const uint8_t> taken = input.first(std::min(count, input.size()));
    input = input.subspan(taken.size());
    return taken;
  };
  const auto number = [&](size_t bytes) {
    size_t value = 0;
    for (const uint8_t byte : take(bytes)) {
      value = value << 8 | byte;
    }
    return value;
  };
  spillway::TraceHeader header{{3, 8, 2, 2, {4096, 4096, 4096}}, "m", {true, true, true, true}, {}, {}};
  const std::span<const uint8_t> json = take(number(2));
  if (auto parsed = spillway::header_from_json({reinterpret_cast<const char*>(json.data()), json.size()})) {
    header = *parsed;
  }
  uint64_t seed = 0;
  Buffer file = *spillway::encode_file_head(header, seed);
  spillway::BlockHead head;
  for (; !input.empty(); ++head.number) {
    const size_t size = number(2);
    head.steps = uint32_t(number(1));
    const std::span<const uint8_t> payload = take(size);
    head.payload_bytes = uint32_t(payload.size());
    head.payload_hash = spillway::trace_hash(payload, seed);
    const auto bytes = spillway::encode_block_head(head, seed);
    file.insert(file.end(), bytes.begin(), bytes.end());
    file.insert(file.end(), payload.begin(), payload.end());
    head.first_step += head.steps;
  }
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::span<const uint8_t> input(data + 1, size - 1);
  const Buffer file = data[0] == 0 ? Buffer(input.begin(), input.end()) : with_right_checksums(input);
  const int fd = ::memfd_create("trace", MFD_CLOEXEC);
  if (::write(fd, file.data(), file.size()) != ssize_t(file.size())) {
    ::close(fd);
    return 0;
  }
  if (auto reader = spillway::TraceReader::open("/proc/self/fd/" + std::to_string(fd))) {
    spillway::Step step;
    for (auto more = (*reader)->next(step); more && *more; more = (*reader)->next(step)) {
      for (const spillway::ExpertId id : step.experts) {
        spillway::Expects((*reader)->header().geometry.layer_of(id) == step.layer);
      }
      spillway::Expects((*reader)->header().geometry.expert_bytes[step.layer] != 0);
      spillway::Expects(step.token_ids.empty() || step.token_ids.size() == step.tokens);
    }
  }
  ::close(fd);
  return 0;
}
