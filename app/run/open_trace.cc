#include "app/run/open_trace.h"

#include "app/cli/interruptible.h"
#include "traces/limit.h"
#include "traces/reader.h"

namespace spillway {

Result<OpenTrace> open_trace(const std::string& path, std::optional<uint64_t> tokens) {
  Result<std::unique_ptr<TraceReader>> reader = TraceReader::open(path);
  if (!reader) {
    return propagate(reader);
  }
  LimitedSource limited(**reader, tokens.value_or(std::numeric_limits<uint64_t>::max()));
  Interruptible source(limited, fmt::format("reading {}", path));
  Result<MemoryTrace> steps = MemoryTrace::load(source);
  if (!steps) {
    return propagate(steps);
  }
  if (steps->steps() == 0) {
    return failed("{}: holds no steps{}", path,
                  (*reader)->truncated() ? "; it was cut off before the first block was whole" : "");
  }
  steps->annotate_next_use();
  return OpenTrace{path, (*reader)->header(), std::move(*steps), (*reader)->truncation()};
}

}  // namespace spillway
