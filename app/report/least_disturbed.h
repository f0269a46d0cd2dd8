#pragma once

#include "app/report/report.h"
#include "core/function_ref.h"
#include "core/result.h"

namespace spillway {

struct LeastDisturbed {
  Report report;
  uint32_t runs = 1;
};

// The host of a virtual machine may hold its cores back in one run and not in the next, and whoever compares
// the two would put the difference down to something else. So a run from which more was stolen than is
// tolerated is made again, six times at most and while all of them together took less than 20 s; of them the
// one counts from which the least was stolen. What else the runs found decides nothing.
Result<LeastDisturbed> least_disturbed(FunctionRef<Result<Report>()> run);

}  // namespace spillway
