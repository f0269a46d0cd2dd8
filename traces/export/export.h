#pragma once

#include <cstdint>
#include <span>

#include "core/function_ref.h"
#include "core/ports.h"
#include "traces/format.h"
#include "traces/memory_trace.h"

// Exports traces for other programs. The text or the records go to `out` piece by piece, from front to back.
namespace spillway {

using ByteSink = FunctionRef<Result<void>(std::span<const uint8_t> bytes)>;

// The first line of an exported CSV is this word and the trace's JSON header, with which `trace import`
// restores every step. Rows have no place for two things, which are lost: the token ids of a step that knows
// only which experts were chosen, and the boundary between two such steps of the same pass and layer.
inline constexpr std::string_view kCsvFirstWord = "# spillway.trace.csv/1 ";

// The second line. One row per routing decision. Cells that do not apply are empty:
//   token          its place in the step, from 0; empty when the step knows only which experts were chosen
//   weight         the gate weight
//   attention_ns, experts_ns, lookahead   in the first row of a step; lookahead is `layer/expert` by spaces
inline constexpr std::string_view kCsvColumns =
    "pass,phase,sequence,layer,tokens,token,expert,weight,token_id,attention_ns,experts_ns,lookahead";

Result<void> export_csv(StepSource& source, const TraceHeader& header, ByteSink out);

// Writes one record of oracle_general.h for each distinct expert of a step, with the number of the step as
// its time. Fails on numbers that the format cannot hold.
Result<void> export_oracle_general(const MemoryTrace& trace, ByteSink out);

}  // namespace spillway
