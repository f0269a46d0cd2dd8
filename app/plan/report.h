#pragma once

#include <string>

#include "app/plan/claims.h"
#include "app/plan/study.h"
#include "core/json_fwd.h"

namespace spillway {

// For people: fits or not, how fast, what limits, what to change, what to buy.
std::string plan_table(const PlanStudy& study);

// The arithmetic behind it, line by line.
std::string plan_explanation(const PlanStudy& study);

// spillway.plan/1
Json plan_json(const PlanStudy& study);

// The planner beside published figures, misses and what it cannot cover included.
std::string claims_table(const Claims& claims);

// spillway.plan_claims/1
Json claims_json(const Claims& claims);

}  // namespace spillway
