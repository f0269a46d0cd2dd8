#pragma once

#include <string>

#include "app/plan/claims.h"
#include "app/plan/study.h"
#include "core/json_fwd.h"

namespace spillway {

// Returns the answer as a table for people: whether the model fits, how fast it runs, what limits the speed,
// what to change and what to buy.
std::string plan_table(const PlanStudy& study);

// Returns the arithmetic behind the answer, line by line.
std::string plan_explanation(const PlanStudy& study);

// Returns the answer as spillway.plan/1.
Json plan_json(const PlanStudy& study);

// Returns a table of the planner's forecasts beside published figures. It includes the misses and the claims
// that the planner cannot cover.
std::string claims_table(const Claims& claims);

// Returns the same comparison as spillway.plan_claims/1.
Json claims_json(const Claims& claims);

}  // namespace spillway
