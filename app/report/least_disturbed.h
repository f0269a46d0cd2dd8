#pragma once

#include "app/report/report.h"
#include "core/function_ref.h"
#include "core/result.h"

namespace spillway {

struct LeastDisturbed {
  Report report;
  uint32_t runs = 1;
};

// Runs `run` and, while more time was stolen than is tolerated, runs it again: six times at most, and only
// while all runs together took less than 20 s. Returns the run from which the least was stolen; nothing else
// decides. The host of a virtual machine may hold its cores back in one run and not in the next. Whoever
// compares two such runs would put the difference down to something else.
Result<LeastDisturbed> least_disturbed(FunctionRef<Result<Report>()> run);

}  // namespace spillway
