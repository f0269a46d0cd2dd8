#include "traces/identity.h"

#include <array>

#include "core/rng.h"
#include "traces/block_codec.h"
#include "traces/format.h"
#include "traces/plain_input.h"

namespace spillway {

Result<std::string> trace_identity(const std::string& path) {
  Result<PlainInput> file = PlainInput::open(path);
  if (!file) {
    return propagate(file);
  }
  std::array<uint8_t, kFileHeadBytes> head{};
  Result<size_t> got = file->read_at(0, head);
  if (!got) {
    return propagate(got);
  }
  if (*got < head.size()) {
    return failed("{}: not a trace: the file has only {} bytes", path, *got);
  }
  const Result<FileHead> said = decode_file_head(head);
  if (!said) {
    return failed("{}: {}", path, said.error().message);
  }
  uint64_t hash = mix64(said->header_hash);
  for (uint64_t at = kFileHeadBytes + said->header_bytes;;) {
    std::array<uint8_t, kBlockHeadBytes> bytes{};
    got = file->read_at(at, bytes);
    if (!got) {
      return propagate(got);
    }
    const Result<BlockHead> block = decode_block_head(bytes, said->header_hash);
    if (*got < bytes.size() || !block || block->kind == BlockKind::end) {
      return fmt::format("{:016x}", hash);  // a damaged end is its reader's to complain of
    }
    hash = mix64(hash ^ block->payload_hash);
    at += kBlockHeadBytes + block->payload_bytes;
  }
}

}  // namespace spillway
