#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>

// A record of libCacheSim's oracleGeneral format: 24 bytes, packed, little-endian. The file has nothing but
// records, so its size gives their number.
namespace spillway {

struct OracleRecord {
  uint32_t time = 0;
  uint64_t object = 0;
  uint32_t bytes = 0;
  int64_t next = -1;  // 1-based index of the next request for this object, -1 without one
};

inline constexpr size_t kOracleRecordBytes = 24;

inline std::array<uint8_t, kOracleRecordBytes> encode_oracle_record(const OracleRecord& record) {
  std::array<uint8_t, kOracleRecordBytes> bytes{};
  std::memcpy(bytes.data(), &record.time, 4);
  std::memcpy(bytes.data() + 4, &record.object, 8);
  std::memcpy(bytes.data() + 12, &record.bytes, 4);
  std::memcpy(bytes.data() + 16, &record.next, 8);
  return bytes;
}

inline OracleRecord decode_oracle_record(const uint8_t* bytes) {
  OracleRecord record;
  std::memcpy(&record.time, bytes, 4);
  std::memcpy(&record.object, bytes + 4, 8);
  std::memcpy(&record.bytes, bytes + 12, 4);
  std::memcpy(&record.next, bytes + 16, 8);
  return record;
}

}  // namespace spillway
