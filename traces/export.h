#pragma once

#include <cstdint>
#include <span>

#include "core/function_ref.h"
#include "core/ports.h"
#include "traces/format.h"
#include "traces/memory_trace.h"

// Traces for other programs. What is exported goes to `out` piece by piece, from front to back.
namespace spillway {

using ByteSink = FunctionRef<Result<void>(std::span<const uint8_t> bytes)>;

// The first line of an exported CSV is this and the trace's JSON header; with it `trace import` gets back
// every step. What rows have no place for is lost: the token ids of a step that knows only which experts were
// chosen, and where one such step ends and the next begins when both are of one pass and layer.
inline constexpr std::string_view kCsvFirstWord = "# spillway.trace.csv/1 ";

// The second line. One row per routing decision. Cells that do not apply are empty:
//   token          its place in the step, from 0; empty when the step knows only which experts were chosen
//   weight         the gate weight
//   attention_ns, experts_ns, lookahead   in the first row of a step; lookahead is `layer/expert` by spaces
inline constexpr std::string_view kCsvColumns =
    "pass,phase,sequence,layer,tokens,token,expert,weight,token_id,attention_ns,experts_ns,lookahead";

Result<void> export_csv(StepSource& source, const TraceHeader& header, ByteSink out);

// One record of oracle_general.h per distinct expert of a step; its time is the number of the step. Fails on
// what the format cannot hold.
Result<void> export_oracle_general(const MemoryTrace& trace, ByteSink out);

}  // namespace spillway
