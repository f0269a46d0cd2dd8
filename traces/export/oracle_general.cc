#include "core/for_each_step.h"
#include "traces/export/export.h"
#include "traces/oracle_general.h"

namespace spillway {
namespace {

struct Request {
  uint32_t time = 0;
  uint32_t object = 0;
  int64_t next = -1;
};

Result<std::vector<Request>> requests_of(const MemoryTrace& trace) {
  std::vector<Request> requests;
  const std::unique_ptr<StepSource> cursor = trace.cursor();
  Result<void> read = for_each_step(*cursor, [&](const Step& step) -> Result<void> {
    if (step.index > UINT32_MAX) {
      return failed("step {}: oracleGeneral has 32 bits for the time; cut the trace", step.index);
    }
    for (const ExpertId id : step.experts) {
      requests.push_back({uint32_t(step.index), index_of(id), -1});
    }
    return {};
  });
  return read ? Result<std::vector<Request>>(std::move(requests)) : propagate(read);
}

}  // namespace

Result<void> export_oracle_general(const MemoryTrace& trace, ByteSink out) {
  const ModelGeometry& geometry = trace.info().geometry;
  if (geometry.largest_expert_bytes() > UINT32_MAX) {
    return failed("an expert of {} bytes: oracleGeneral has 32 bits for a size",
                  geometry.largest_expert_bytes());
  }
  Result<std::vector<Request>> requests = requests_of(trace);
  if (!requests) {
    return propagate(requests);
  }
  std::vector<int64_t> next(geometry.expert_count(), -1);
  for (size_t i = requests->size(); i-- > 0;) {
    Request& request = (*requests)[i];
    request.next = std::exchange(next[request.object], int64_t(i) + 1);
  }
  Buffer bytes;
  bytes.reserve(kOracleRecordBytes << 15);
  for (const Request& request : *requests) {
    const auto record = encode_oracle_record(
        {request.time, request.object, uint32_t(geometry.bytes_of(ExpertId{request.object})), request.next});
    bytes.insert(bytes.end(), record.begin(), record.end());
    if (bytes.size() == kOracleRecordBytes << 15) {
      if (Result<void> written = out(bytes); !written) {
        return written;
      }
      bytes.clear();
    }
  }
  return out(bytes);
}

}  // namespace spillway
